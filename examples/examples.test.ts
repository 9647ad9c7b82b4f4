import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { parseStep, type StepInput } from "@wfe-containerd/executor";
import { useDaemon } from "@wfe-containerd/test-infra/daemon";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { parse } from "yaml";

const at = useDaemon();
const HERE = import.meta.dirname;

beforeEach(() => {
  vi.stubEnv("WFE_CONTAINERD_ADDR", at.daemon.address);
  vi.stubEnv("CONTAINERD_NAMESPACE", at.client.namespace);
  vi.stubEnv("WFE_IO_DIR", at.ioDir);
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

/** What each example prints on standard output. */
const EXPECTED: Readonly<Record<string, RegExp>> = {
  "agent-sandbox.ts":
    /^sh .*: exit 0 counted\nwget .*: exit 1 \nhead .*: exit 1 \nsleep 600: timeout \d+ \nreport: 3\nidle\n$/,
  "client.ts":
    /^containerd \d.*\ndocker\.io\/library\/busybox:latest sha256:\w+\nget container no-such-container: .*not found\n$/,
  "dockerode-port.ts": /^counted\nexit code 0\n3\n$/,
  "errors.ts": /^image-not-found: .*\ncommand-not-found: .*\ninvalid-step: .*volumes\[0\]\.target.*\n$/,
  "live-output.ts": /^line 1\nline 2\nline 3\n$/,
  "run-step.ts": /^0 hello from Linux\n/,
  "timeout-and-abort.ts": /^timeout 5 cleaning up\naborted\n$/,
  "workflow.ts": /^Release 1\.2\.3 is out\n$/,
};

test("every example is here, or has a test of its own", async () => {
  const all = await readdir(HERE);
  const files = all.filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"));
  const others = files.filter((name) => !all.includes(name.replace(/\.ts$/, ".test.ts")));
  expect(others.toSorted()).toEqual(Object.keys(EXPECTED));
});

test.each(Object.keys(EXPECTED))("%s does what it says", async (file) => {
  let printed = "";
  vi.spyOn(console, "log").mockImplementation((...values: unknown[]) => {
    printed += `${values.map(String).join(" ")}\n`;
  });
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  vi.spyOn(process.stdout, "write").mockImplementation((chunk) => {
    printed += Buffer.from(chunk as Uint8Array).toString();
    return true;
  });
  vi.spyOn(process.stderr, "write").mockImplementation(() => true);
  await import(join(HERE, file));
  expect(printed).toMatch(EXPECTED[file] as RegExp);
});

// Uses the built packages and plain Node, as a user without TypeScript does.
test("first-step.mjs runs as plain JavaScript", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [join(HERE, "first-step.mjs")]);
  expect(stdout).toBe("0 exit hello\n");
});

test.each(["hello.yaml", "pipeline.yaml"])("steps/%s holds valid steps", async (file) => {
  const value = parse(await readFile(join(HERE, "steps", file), "utf8")) as
    | StepInput
    | { steps: StepInput[] };
  for (const step of "steps" in value ? value.steps : [value]) expect(() => parseStep(step)).not.toThrow();
});
