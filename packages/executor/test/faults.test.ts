import { readFile } from "node:fs/promises";
import { createClient } from "@wfe-containerd/client";
import {
  createExecutor,
  listSteps,
  type RunResult,
  removeOrphans,
  removeStep,
  type StepHandle,
} from "@wfe-containerd/executor";
import { useDaemon } from "@wfe-containerd/test-infra/daemon";
import { mountMemory } from "@wfe-containerd/test-infra/daemon/small-disk";
import { expect, test } from "vitest";
import { startGated } from "./gated-step.js";

const daemon_ = useDaemon();
const IMAGE = "busybox";

test("a daemon that is killed and started again in the middle of a step costs nothing of it (fault case 1, F1)", async () => {
  await using step = await startGated(daemon_);
  const { handle } = step;
  daemon_.daemon.kill("SIGKILL");
  await daemon_.daemon.restart();
  await step.open();
  expect(await handle.result).toMatchObject({
    exitCode: 7,
    cause: "exit",
    stdout: "before\nafter\n",
    log: { complete: true, gaps: [] },
  });
  expect(await handle.closed).toEqual({ unreleased: [] });
  expect(await step.text).toBe("before\nafter\n");
});

test.each(["resolving", "preparing", "starting", "settling", "releasing"] as const)(
  "a daemon that is killed as the phase %s begins, and started again, costs nothing of the step (F1)",
  async (phase) => {
    const before = await daemon_.inventory();
    await using executor = createExecutor({ client: daemon_.client, ioDir: daemon_.ioDir });
    // So that the daemon has answered: one that never has is not waited for.
    await executor.run({ name: "first", image: IMAGE, run: "true" });
    let restarted: Promise<void> | undefined;
    const result = await executor.run(
      { name: "survives", image: IMAGE, run: "echo out; exit 7" },
      {
        onEvent(event) {
          if (event.type !== "phase" || event.phase !== phase) return;
          daemon_.daemon.kill("SIGKILL");
          restarted = daemon_.daemon.restart();
        },
      },
    );
    await restarted;
    expect(result.unreleased).toEqual([]);
    expect(result.stdout).toBe("out\n");
    // From 1.7 on, a daemon forgets a process that ends while the daemon is down.
    if (result.cause === "exit") expect(result.exitCode).toBe(7);
    else expect([phase, result.cause]).toEqual(["starting", "unknown"]);
    await daemon_.expectNothingLeft(before);
  },
);

test("a step that is to end while the daemon is away ends within its grace, and is found later (F4)", async () => {
  const before = await daemon_.inventory();
  const executor = createExecutor({
    client: daemon_.client,
    ioDir: daemon_.ioDir,
    // A step that waited for the daemon as long as it may would wait longer than this test.
    daemonTimeoutMs: 3_600_000,
  });
  const step = { image: IMAGE, run: "echo on; sleep 600", stopGrace: "1s" };
  const [stopped, killed, closed] = ["stopped", "killed", "closed"].map((name) =>
    executor.start({ ...step, name, stopGrace: name === "closed" ? "50s" : "1s" }),
  ) as [StepHandle, StepHandle, StepHandle];
  await Promise.all([stopped, killed, closed].map(({ started }) => started));
  // The last one: its time-out must not come before the daemon is away.
  const late = executor.start({ ...step, name: "late", timeoutMs: 2_000 });
  await late.started;
  daemon_.daemon.kill("SIGKILL");
  await daemon_.daemon.exited;
  const handles = [late, stopped, killed, closed];
  stopped.stop();
  killed.kill();
  const isAway = (handle: StepHandle) =>
    expect(handle.result).rejects.toMatchObject({
      kind: "daemon-unavailable",
      message: expect.stringMatching(new RegExp(`${handle.id}.*may still run`)),
    });
  await Promise.all([late, stopped, killed].map(isAway));
  const { unreleased } = await executor.close({ graceMs: 1_000 });
  await isAway(closed);
  const tasks = unreleased.filter(({ kind }) => kind === "task").map(({ id }) => id);
  expect(tasks.sort()).toEqual(handles.map(({ id }) => id).sort());

  await daemon_.daemon.restart();
  const { removed, failed } = await removeOrphans(daemon_.client);
  expect([...removed].sort()).toEqual(tasks);
  expect(failed).toEqual([]);
  await daemon_.expectNothingLeft(before);
});

test("the facts about the machine are asked for once, and again after a restart of the daemon", async () => {
  let asked = 0;
  await using client = createClient({
    address: daemon_.daemon.address,
    namespace: daemon_.client.namespace,
    interceptors: [
      (next) => (request) => {
        if (request.method.name === "Server") asked++;
        return next(request);
      },
    ],
  });
  // What the executor does beside its steps is not counted.
  await using executor = createExecutor({ client, ioDir: daemon_.ioDir, reapIntervalMs: false });
  const run = () => executor.run({ name: "asks", image: IMAGE, run: "true" });
  expect(await run()).toMatchObject({ exitCode: 0 });
  const once = asked;
  expect(once).toBeGreaterThan(0);
  expect(await run()).toMatchObject({ exitCode: 0 });
  expect(asked).toBe(once);
  expect(client.disconnects()).toBe(0);
  daemon_.daemon.kill("SIGKILL");
  await expect.poll(() => client.disconnects()).toBeGreaterThan(0);
  await daemon_.daemon.restart();
  expect(await run()).toMatchObject({ exitCode: 0 });
  expect(asked).toBe(2 * once);
});

test("a step that ends while the daemon is down gives its true code afterwards, or says that nobody knows it (fault case 3, F18)", async () => {
  await using step = await startGated(daemon_);
  const { handle } = step;
  const { pid } = await daemon_.client.tasks.get(handle.id);
  daemon_.daemon.kill("SIGKILL");
  await daemon_.daemon.exited;
  await step.open();
  await gone(pid);
  await daemon_.daemon.restart();
  const result = await handle.result;
  expect(result.stdout).toBe("before\nafter\n");
  expect(result.log.complete).toBe(true);
  if (result.cause === "exit") expect(result.exitCode).toBe(7);
  else expect(result).toMatchObject({ cause: "unknown", exitCode: null });
  await handle.closed;
});

test("a shim that is killed is told from a step that is, and leaves nothing (fault case 6)", async () => {
  const before = await daemon_.inventory();
  await using step = await startGated(daemon_);
  const { handle } = step;
  const { pid } = await daemon_.client.tasks.get(handle.id);
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  process.kill(Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]), "SIGKILL");
  expect(await handle.result).toMatchObject({
    exitCode: null,
    cause: "runtime-lost",
    log: { complete: "unknown", gaps: [] },
  });
  expect(await handle.closed).toEqual({ unreleased: [] });
  await gone(pid);
  await handle[Symbol.asyncDispose]();
  await daemon_.expectNothingLeft(before);
});

test("a full disk for its output ends a step, and says so (fault case 9)", async () => {
  await using disk = await mountMemory(daemon_.daemon.directory, { sizeBytes: 1024 * 1024 });
  const before = await daemon_.inventory();
  await using executor = createExecutor({ client: daemon_.client, ioDir: disk.directory });
  const result = await executor.run({ name: "flood", image: IMAGE, run: "yes", timeoutMs: 60_000 });
  expect(result).toMatchObject({ cause: "log-io-failed" });
  expect(result.stdout).toMatch(/^(y\n)+/);
  await daemon_.expectNothingLeft(before);
});

test("a step that runs is listed, and can be removed from outside", async () => {
  await using step = await startGated(daemon_);
  const { handle } = step;
  expect(await listSteps(daemon_.client)).toMatchObject([
    { id: handle.id, name: "gated", status: "running" },
  ]);
  expect(await removeOrphans(daemon_.client)).toEqual({ removed: [], failed: [] });
  await removeStep(daemon_.client, handle.id);
  await expect(removeStep(daemon_.client, handle.id)).rejects.toMatchObject({ kind: "invalid-argument" });
  await handle.result.catch(() => undefined);
  await handle.closed;
});

/** `WFE_DAEMON_KILLS=20` kills it more often. */
const KILLS = Number(process.env["WFE_DAEMON_KILLS"] ?? 4);

test(`steps go on and new ones begin, four at a time, while the daemon is killed ${KILLS} times (F23)`, async () => {
  const before = await daemon_.inventory();
  await using executor = createExecutor({ client: daemon_.client, ioDir: daemon_.ioDir });
  const step = { name: "one", image: IMAGE, run: "echo out; exit 7" };
  await executor.run(step);
  const results: RunResult[] = [];
  let isOver = false;
  const running = Array.from({ length: 4 }, async () => {
    while (!isOver) results.push(await executor.run(step));
  });
  for (let kills = 0; kills < KILLS; kills++) {
    const ended = results.length;
    await Promise.race([Promise.all(running), expect.poll(() => results.length).toBeGreaterThan(ended)]);
    daemon_.daemon.kill("SIGKILL");
    await daemon_.daemon.restart();
  }
  isOver = true;
  await Promise.all(running);
  for (const { stdout, exitCode, cause, unreleased } of results) {
    expect({ stdout, unreleased }).toEqual({ stdout: "out\n", unreleased: [] });
    // From 1.7 on, a daemon forgets a process that ends while the daemon is down.
    expect([7, null]).toContain(exitCode);
    expect(cause).toBe(exitCode === null ? "unknown" : "exit");
  }
  await executor.close();
  await daemon_.expectNothingLeft(before);
});

/** Resolves when the process is gone. Polled, because its directory in /proc cannot be watched. */
async function gone(pid: number): Promise<void> {
  await expect
    .poll(() =>
      readFile(`/proc/${pid}/stat`, "utf8").then(
        (stat) => / Z /.test(stat),
        () => true,
      ),
    )
    .toBe(true);
}
