import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createExecutor } from "@wfe-containerd/executor";
import { useDaemon } from "@wfe-containerd/test-infra/daemon";
import { afterAll, beforeAll, expect, test } from "vitest";
import { call, type Running, start, type Told, told } from "./command.js";

const daemon = useDaemon();
let files: string;

beforeAll(async () => {
  files = await mkdtemp(join(tmpdir(), "test-recover-"));
});
afterAll(() => rm(files, { recursive: true }));

const at = (...args: string[]): string[] => [
  "--address",
  daemon.daemon.address,
  "--namespace",
  daemon.client.namespace,
  ...args,
];
const env = (): NodeJS.ProcessEnv => ({ WFE_IO_DIR: daemon.ioDir });
const cli = async (...args: string[]): Promise<Told> => told(await call(at(...args), { env: env() }));
const begin = (...args: string[]): Running => start(at(...args), { env: env() });

/** Prints `on`, ends with the code at SIGUSR1, and with 0 at SIGTERM. */
const untilUsr1 = (code: number): string =>
  `trap 'echo bye; exit ${code}' USR1; trap 'echo asked; exit 0' TERM; echo on; while :; do sleep 0.05; done`;

/** Starts a step whose command is killed once it runs. It stays without a process. */
async function orphan(name: string, script: string, ...flags: string[]): Promise<void> {
  const run = begin("run", "--name", name, ...flags, "busybox", "sh", "-c", script);
  await run.printed("on");
  run.child.kill("SIGKILL");
  await run.finished;
}

test("several steps of killed commands go on: each line has its step, and the first failure is the exit code", async () => {
  const before = await daemon.inventory();
  await orphan("well", untilUsr1(0));
  await orphan("bad", untilUsr1(4));
  await orphan("worse", untilUsr1(7));
  const listed = await cli("recover", "--dry-run", "--format", "{{.Names}} {{.Status}}");
  expect(listed).toEqual({ code: 0, stdout: "well running\nbad running\nworse running\n", stderr: "" });
  const recovering = begin("recover");
  for (const line of ["well  | on\n", "bad   | on\n", "worse | on\n"]) await recovering.printed(line);
  expect((await cli("ps", "--format", "executor")).stdout).toBe("alive\nalive\nalive\n");
  // The last one ends first.
  for (const [name, line] of [
    ["worse", "worse | bye\n"],
    ["bad", "bad   | bye\n"],
    ["well", "well  | bye\n"],
  ] as const) {
    await cli("kill", "-s", "USR1", name);
    await recovering.printed(line);
  }
  const { code, stderr } = await recovering.finished;
  expect(code).toBe(4);
  const [first, second, third, ...ends] = stderr.split("\n");
  expect([first, second, third].map((line) => line?.replace(/created .*/, "created ..."))).toEqual([
    "==> [1/3] well (busybox): running, created ...",
    "==> [2/3] bad (busybox): running, created ...",
    "==> [3/3] worse (busybox): running, created ...",
  ]);
  expect(ends.toSorted()).toEqual([
    "",
    "==> step bad: exit code 4",
    "==> step well: exit code 0",
    "==> step worse: exit code 7",
  ]);
  await daemon.expectNothingLeft(before);
});

test("one step is printed byte for byte from its beginning, also if it has ended meanwhile", async () => {
  const before = await daemon.inventory();
  // The command is killed with the first line; the rest comes when nobody reads it.
  const script = `trap 'head -c 3000000 /dev/zero; echo end; echo err >&2; exit 3' USR1; echo on; while :; do sleep 0.05; done`;
  await orphan("long", script);
  const [task] = await daemon.client.tasks.list();
  await cli("kill", "-s", "USR1", "long");
  await daemon.client.tasks.wait(task?.id ?? "");
  expect((await cli("recover", "-n", "--format", "{{.Status}}")).stdout).toBe("stopped\n");
  const { code, stdout, stderr } = await call(at("recover", "-q", "long"), { env: env() });
  expect({ code, stderr }).toEqual({ code: 3, stderr: "err\n" });
  expect(
    stdout.equals(Buffer.concat([Buffer.from("on\n"), Buffer.alloc(3_000_000), Buffer.from("end\n")])),
  ).toBe(true);
  expect(await cli("recover", "long")).toMatchObject({
    code: 125,
    stderr: expect.stringContaining("no step"),
  });
  await daemon.expectNothingLeft(before);
});

test("a recover that is killed itself is gone on with by the next one; Ctrl-C stops the step as in run", async () => {
  const before = await daemon.inventory();
  await orphan("again", untilUsr1(4), "--stop-timeout", "60");
  const killed = begin("recover");
  await killed.printed("on\n");
  killed.child.kill("SIGKILL");
  await killed.finished;
  const next = begin("recover", "again");
  await next.printed("on\n");
  next.child.kill("SIGINT");
  expect(told(await next.finished)).toEqual({
    code: 130,
    stdout: "on\nasked\n",
    stderr: expect.stringMatching(
      /^==> \[1\/1\] again \(busybox\): running, created .*\n.*stopping the step.*\n==> step again: was stopped; exit code 0\n$/,
    ),
  });
  await daemon.expectNothingLeft(before);
});

test("--stop ends steps and sessions; what was left on purpose and what lives is never touched", async () => {
  const before = await daemon.inventory();
  await orphan("one", untilUsr1(4), "--stop-timeout", "60");
  await cli("run", "-d", "--name", "left", "busybox", "sleep", "1000");
  const living = begin("run", "--name", "living", "busybox", "sh", "-c", untilUsr1(5));
  await living.printed("on");
  await using executor = createExecutor({
    client: daemon.client,
    ioDir: daemon.ioDir,
    reapIntervalMs: false,
  });
  await using session = await executor.open({ name: "session", image: "busybox" });
  for (const [word, problem] of [
    ["left", "it was left to itself, and needs no process; to follow it: wfe-containerd attach"],
    ["living", "its process lives ("],
    ["session", "its process lives ("],
    ["none", "there is no step"],
  ] as const)
    expect(await cli("recover", "one", word), word).toMatchObject({
      code: 125,
      stdout: "",
      stderr: expect.stringContaining(problem),
    });
  expect((await cli("recover", "-n", "-q", "--stop")).stdout.split("\n")).toHaveLength(2);
  expect(await cli("recover", "--stop")).toEqual({
    code: 0,
    stdout: "",
    stderr: "==> step one: was stopped; exit code 0\n",
  });
  expect(await cli("recover")).toEqual({
    code: 0,
    stdout: "",
    stderr: "wfe-containerd: nothing to recover: each step has a living process, or was left\n",
  });
  expect(await session.run({ run: "echo there" })).toMatchObject({ stdout: "there\n" });
  expect((await cli("ps", "--format", "step")).stdout.split("\n").toSorted()).toEqual([
    "",
    "left",
    "living",
    "session",
  ]);
  await session.close();
  await cli("kill", "-s", "USR1", "living");
  expect((await living.finished).code).toBe(5);
  await cli("rm", "-f", "left");
  await daemon.expectNothingLeft(before);
});

test("a step with secrets is taken over only with their values, which are masked", async () => {
  const before = await daemon.inventory();
  const token = join(files, "token");
  await writeFile(token, "hidden-value");
  const secret = ["--secret", `id=token,src=${token}`];
  await orphan("secret", `cat /run/secrets/token; ${untilUsr1(0)}`, ...secret);
  expect(await cli("recover", "secret")).toMatchObject({
    code: 125,
    stdout: "",
    stderr: expect.stringMatching(
      /^==> .*\nwfe-containerd: --secret: step wfe-\w+ cannot be taken over .*: token; allowed: the same values as at its start\n$/,
    ),
  });
  const recovering = begin("recover", ...secret);
  await recovering.printed("***on\n");
  await cli("kill", "-s", "USR1", "secret");
  expect(told(await recovering.finished)).toMatchObject({ code: 0, stdout: "***on\nbye\n" });
  await daemon.expectNothingLeft(before);
});

test("steps of one name are told apart by their ids, and completed for a shell", async () => {
  await orphan("same", untilUsr1(0));
  // run refuses a name that is taken; a step file may give it again.
  const file = `steps: [{name: same, image: busybox, run: "echo on; exec sleep 1000", stop_grace: 0s}]`;
  const step = start(at("step", "-"), { env: env(), input: file });
  await step.printed("on");
  step.child.kill("SIGKILL");
  await step.finished;
  const ids = (await cli("recover", "-n", "-q")).stdout.trim().split("\n");
  expect((await cli("__complete", ...at("recover", ""))).stdout.match(/^wfe-\w+/gm)).toEqual(ids);
  expect((await cli("recover", "same")).stderr).toContain('"same" means 2 steps');
  const { code, stderr } = await cli("recover", "--stop", ...ids);
  expect(code).toBe(0);
  for (const id of ids)
    expect(stderr).toMatch(new RegExp(`^==> step same ${id.slice(0, 12)}: was stopped`, "m"));
});
