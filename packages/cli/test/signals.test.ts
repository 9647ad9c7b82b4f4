import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { useDaemon } from "@wfe-containerd/test-infra/daemon";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Finished, type Running, start } from "./command.js";

/** How long a step may take to end when it is asked to: the longest that the default policy allows. */
const GRACE_S = 60;

const at = useDaemon();
let files: string;

beforeAll(async () => {
  files = await mkdtemp(join(tmpdir(), "test-signals-"));
  await chmod(files, 0o755);
});
afterAll(() => rm(files, { recursive: true }));

const SIGNALS = [
  ["SIGHUP", 129],
  ["SIGINT", 130],
  ["SIGQUIT", 131],
  ["SIGPIPE", 141],
  ["SIGTERM", 143],
  ["SIGPWR", 158],
] as const;

const runStep = (...command: string[]): Running =>
  call("run", "--stop-timeout", String(GRACE_S), "busybox", ...command);

const call = (...args: string[]): Running =>
  start(["--address", at.daemon.address, "--namespace", at.client.namespace, ...args], {
    env: { WFE_IO_DIR: at.ioDir },
  });

/** Returns a script that prints `on` when it is ready, and exits with `code` when it is told to stop. */
const until = (code: number): string =>
  `trap 'echo bye; exit ${code}' TERM; echo on; while :; do sleep 0.05; done`;

/** Resolves when a step of the command has printed the text, even if the command does not print it yet. */
async function printedInside({ finished }: Running, text: string): Promise<void> {
  const outputs = async (): Promise<string> => {
    // A step that ends meanwhile takes its directory away.
    const names = await readdir(at.ioDir, { recursive: true }).catch(() => []);
    const contents = names.map((name) => readFile(join(at.ioDir, name), "utf8").catch(() => ""));
    return (await Promise.all(contents)).join("");
  };
  let ended: Finished | undefined;
  finished.then(
    (how) => {
      ended = how;
    },
    () => undefined,
  );
  while (!(await outputs()).includes(text)) {
    if (ended !== undefined)
      throw new Error(`it ended with ${ended.code} before its step printed ${text}: ${ended.stderr}`);
    await delay(20);
  }
}

async function steps(name: string, ...scripts: string[]): Promise<string> {
  const path = join(files, `${name}.json`);
  const list = scripts.map((run, index) => ({
    name: `step${index}`,
    image: "busybox",
    run,
    stop_grace: `${GRACE_S}s`,
  }));
  await writeFile(path, JSON.stringify({ steps: list }));
  return path;
}

describe.each(SIGNALS)("%s", (signal, code) => {
  test("stops a step that then ends with 0; the code is that of the signal", async () => {
    const before = await at.inventory();
    const run = runStep("sh", "-c", until(0));
    await run.printed("on");
    run.child.kill(signal);
    expect(await run.finished).toMatchObject({ code, stdout: Buffer.from("on\nbye\n") });
    await at.expectNothingLeft(before);
  });

  test("stops a step file: no later step runs, and the results so far are printed", async () => {
    const before = await at.inventory();
    const run = call("step", await steps(signal, "echo first", until(0), "echo never"), "--output", "json");
    await printedInside(run, "on\n");
    run.child.kill(signal);
    const { code: ended, stdout } = await run.finished;
    expect(ended).toBe(code);
    expect(JSON.parse(stdout.toString())).toMatchObject([
      { name: "step0", exitCode: 0, cause: "exit", stdout: "first\n" },
      { name: "step1", exitCode: 0, cause: "aborted", stdout: "on\nbye\n" },
    ]);
    await at.expectNothingLeft(before);
  });
});

test("a step that does not handle the signal is killed after its grace; the code is that of the signal", async () => {
  const run = call("run", "--stop-timeout", "0", "busybox", "sh", "-c", "echo on; exec sleep 600");
  await run.printed("on");
  run.child.kill("SIGTERM");
  expect((await run.finished).code).toBe(143);
});

test("a step that chose a code of its own keeps it", async () => {
  const run = call("step", await steps("own", until(9), "echo never"));
  await run.printed("on");
  run.child.kill("SIGTERM");
  expect(await run.finished).toMatchObject({ code: 9, stdout: Buffer.from("on\nbye\n") });
});

test.each(["text", "json"])("a second signal kills the step, with --output %s", async (output) => {
  const script = "trap 'echo asked' TERM; echo on; while :; do sleep 0.05; done";
  const run = call("step", await steps(`kill-${output}`, script), "--output", output);
  await printedInside(run, "on\n");
  run.child.kill("SIGHUP");
  await printedInside(run, "asked\n");
  run.child.kill("SIGTERM");
  expect((await run.finished).code).toBe(137);
});

test("a signal during the pull ends it, before the step has started", async () => {
  const before = await at.inventory();
  await using registry = createServer((socket) => socket.resume()).listen(0, "127.0.0.1");
  const asked = new Promise((resolve) => registry.once("connection", resolve));
  await new Promise((resolve) => registry.once("listening", resolve));
  const { port } = registry.address() as { port: number };
  const run = call("run", "--pull", "always", `127.0.0.1:${port}/a/b:1`);
  await asked;
  run.child.kill("SIGTERM");
  expect(await run.finished).toMatchObject({
    code: 143,
    stderr: "wfe-containerd: stopping the step; a second signal kills it\n",
  });
  await at.expectNothingLeft(before);
});

test.each(["SIGUSR1", "SIGUSR2"] as const)("%s opens no debugger and ends nothing", async (signal) => {
  const run = runStep("sh", "-c", until(0));
  await run.printed("on");
  run.child.kill(signal);
  run.child.kill("SIGTERM");
  const { code, stdout, stderr } = await run.finished;
  expect({ code, stdout: stdout.toString() }).toEqual({ code: 143, stdout: "on\nbye\n" });
  expect(stderr).not.toContain("Debugger");
});
