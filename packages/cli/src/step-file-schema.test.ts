// The JSON Schema of step files, which editors check by, beside what the command itself accepts.
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  parseStep,
  SESSION_FIELDS,
  SESSION_STEP_FIELDS,
  STEP_FIELDS,
  stepFileJsonSchema,
} from "@wfe-containerd/executor";
import { Ajv2020 } from "ajv/dist/2020.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { readStepFile } from "./step-file.js";

// The keywords of 2020-12 alone, and each where it belongs. A text may also be a number in a file.
const isValid = new Ajv2020({
  strict: true,
  allowUnionTypes: true,
  strictTypes: false,
  strictRequired: false,
}).compile(stepFileJsonSchema());

const EXAMPLES = join(import.meta.dirname, "../../../examples/steps");

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "wfe-schema-"));
});
afterAll(() => rm(directory, { recursive: true }));

/** What the command and what an editor say of a file. */
async function judge(yaml: string): Promise<{ command: boolean; editor: boolean }> {
  const file = join(directory, "step.yaml");
  await writeFile(file, yaml);
  const command = await readStepFile(file).then(
    () => true,
    () => false,
  );
  return { command, editor: isValid(parse(yaml, { merge: true })) };
}

/** The command and an editor agree. */
const both = (isAccepted: boolean) => ({ command: isAccepted, editor: isAccepted });

test("the examples are valid", async () => {
  const files = (await readdir(EXAMPLES)).filter((file) => file.endsWith(".yaml"));
  expect(files.length).toBeGreaterThan(0);
  for (const file of files) {
    const yaml = await readFile(join(EXAMPLES, file), "utf8");
    expect(await judge(yaml), file).toEqual({ command: true, editor: true });
  }
});

const BASE = "name: s\nimage: alpine:3.20\n";

test.each([
  BASE,
  "name: 2024\nimage: alpine",
  `${BASE}command: [sleep, 5, true, ]`,
  `${BASE}env: { A: 1.10, B: , C: true }`,
  `${BASE}env: [A=1]`,
  `${BASE}volumes:\ninit:\nulimits: { nofile: }`,
  `${BASE}user: 0\nmemory: 67108864`,
  `${BASE}extra_hosts: { db: 10.0.0.2, v6: "::1" }`,
  `${BASE}seccomp: { defaultAction: SCMP_ACT_ALLOW, syscalls: [] }`,
  `${BASE}retry: { attempts: 3 }`,
  `${BASE}retry:\n  attempts: 3\n  delay: 10s\n  backoff: 2\n  on: [exit, daemon-unavailable]`,
  `${BASE}stop_signal: 15\nlabels: { a: 1 }`,
  "workspace: /work\nsteps: [{ name: a, image: alpine }]",
  "workspace:\nsession: false\nsteps: [{ name: a, image: alpine }]",
  "session: true\nimage: alpine\nsteps: [{ name: a, run: ls }, { name: b, command: [ls], user: 0, timeout: 1m }]",
  "session: true\nname: n\nimage: alpine\nmemory: 64m\nx-a: 1\nworkspace: /work\nsteps: [{ name: a, run: ls }]",
  "x-base: &base { image: alpine }\nsteps: [{ <<: *base, name: a }, { <<: *base, name: b }]",
])("the command and an editor accept %j", async (yaml) => {
  expect(await judge(yaml)).toEqual({ command: true, editor: true });
});

test.each([
  "name: s",
  "image: alpine",
  "[]",
  "steps: []",
  "steps: { a: 1 }",
  `steps: [{ name: a }]`,
  "workspace: work\nsteps: [{ name: a, image: alpine }]",
  "session: yes\nsteps: [{ name: a, image: alpine }]",
  "session: true\nsteps: [{ name: a, run: ls }]",
  "session: true\nimage: alpine\nsteps: [{ name: a }]",
  "session: true\nimage: alpine\nsteps: []",
  "session: true\nimage: alpine\ntimeout: 1m\nsteps: [{ name: a, run: ls }]",
  "session: true\nimage: alpine\nmemory_swap: 1g\nsteps: [{ name: a, run: ls }]",
  "session: true\nimage: alpine\nsteps: [{ name: a, run: ls, memory: 64m }]",
  "session: true\nimage: alpine\nsteps: [{ name: a, run: ls, image: alpine }]",
  "session: true\nimage: alpine\nsteps: [{ name: a, run: ls, retry: { attempts: 2 } }]",
  "session: true\nimage: alpine\nsteps: [{ run: ls }]",
  `${BASE}workspace: /work`,
  `${BASE}session: true`,
  "steps: [{ name: a, image: alpine }]\nother: 1",
  `${BASE}x-base: 1`,
  `${BASE}comand: [ls]`,
  `${BASE}command: ls`,
  `${BASE}command: []`,
  `${BASE}run: ls\ncommand: [ls]`,
  `${BASE}run: ls\nargs: [ls]`,
  `${BASE}shell: bash`,
  `${BASE}tls: { ca: /ca.pem }`,
  `${BASE}tls: { secret: x }\ncontainerd_addr: tcp://h:1`,
  `${BASE}memory_swap: 1g`,
  `${BASE}memory: lots`,
  `${BASE}timeout: 30`,
  `${BASE}timeout: soon`,
  `${BASE}timeout: 1s\ntimeout_ms: 1`,
  `${BASE}timeout_ms: 0.5`,
  `${BASE}retry: 3`,
  `${BASE}retry: { attempts: 0 }`,
  `${BASE}retry: { attempts: 3, on: [aborted] }`,
  `${BASE}retry: { attempts: 3, delay: 10 }`,
  `${BASE}cpu: fast`,
  `${BASE}cpu: 0`,
  `${BASE}pids_limit: 0`,
  `${BASE}cpuset_cpus: all`,
  `${BASE}oom_score_adj: -1001`,
  `${BASE}network: wifi`,
  `${BASE}pull: sometimes`,
  `${BASE}init: perhaps`,
  `${BASE}stop_signal: SIGNOPE`,
  `${BASE}working_dir: src`,
  `${BASE}volumes: [/src]`,
  `${BASE}volumes: [{ source: a/b, target: /b }]`,
  `${BASE}volumes: [{ source: /a, target: b }]`,
  `${BASE}volumes: [{ souce: /a, target: /b }]`,
  `${BASE}caches: ["/npm"]`,
  `${BASE}tmpfs: [tmp]`,
  `${BASE}secrets: ["../x"]`,
  `${BASE}ulimits: { files: 1 }`,
  `${BASE}labels: { io.x: y }`,
  `${BASE}dns: 1.1.1.1`,
  `${BASE}dns: [ns.example]`,
  `${BASE}hugepages: { 2 MB: 1m }`,
  `${BASE}device_read_bps: { /dev/sda: 1m }`,
  `${BASE}env: ["=x"]`,
  "name: a b\nimage: alpine",
  "name: s\nimage: ' '",
])("the command and an editor refuse %j", async (yaml) => {
  expect(await judge(yaml)).toEqual({ command: false, editor: false });
});

describe("every example of a field is accepted:", () => {
  /** Fields that a field needs. */
  const WITH: Readonly<Record<string, object>> = {
    shell: { run: "ls" },
    memory_swap: { memory: "512m" },
    memory_reservation: { memory: "512m" },
  };
  const examples = Object.entries(STEP_FIELDS).flatMap(([name, field]) =>
    (field.examples ?? []).map((example) => [name, example] as const),
  );
  /** What the command and an editor say of a file that is valid without this field. */
  const judgeFile = (file: object): Promise<unknown> => judge(JSON.stringify(file));
  const SESSION = { session: true, image: "alpine", steps: [{ name: "s", run: "ls" }] };

  test.each(examples)("in a session, where it belongs, and nowhere else: %s: %j", async (name, example) => {
    const field = { ...WITH[name], [name]: example };
    const [step] = SESSION.steps;
    const others = ["command", "args"].includes(name) ? { name: "s", command: ["ls"] } : step;
    expect(await judgeFile({ ...SESSION, ...field })).toEqual(both(SESSION_FIELDS.has(name)));
    const hasTarget = name === "secrets" && JSON.stringify(example).includes('"target"');
    expect(await judgeFile({ ...SESSION, steps: [{ ...others, ...field }] })).toEqual(
      both(SESSION_STEP_FIELDS.has(name) && !hasTarget),
    );
  });

  test.each(examples)("%s: %j", (name, example) => {
    const step = { name: "s", image: "alpine", ...WITH[name], [name]: example };
    parseStep(step);
    expect(isValid(step), JSON.stringify(isValid.errors)).toBe(true);
    expect(isValid({ steps: [step] })).toBe(true);
  });
});
