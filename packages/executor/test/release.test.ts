import { randomUUID } from "node:crypto";
import { access, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type Client, ContainerdError, createClient } from "@wfe-containerd/client";
import { currentOwner } from "@wfe-containerd/client/internal";
import {
  createExecutor,
  type Executor,
  type ExecutorOptions,
  listSteps,
  observe,
  type ReleaseDiagnostic,
  removeOrphans,
  type StepEvent,
  type StepHandle,
} from "@wfe-containerd/executor";
import { pauseProcess, useDaemon } from "@wfe-containerd/test-infra/daemon";
import { createRuncStandIn, FAIL } from "@wfe-containerd/test-infra/daemon/runc-stand-in";
import { afterAll, afterEach, expect, test } from "vitest";

const runc = await createRuncStandIn();
const at = useDaemon({ binDir: runc.binDir });
afterEach(() => runc.heal());
afterAll(() => runc[Symbol.asyncDispose]());

const STEP = { name: "released", image: "busybox" };
const SEVEN = { ...STEP, run: "echo out; exit 7" };
/** Ends only when it is stopped. */
const ENDLESS = {
  ...STEP,
  run: "trap 'exit 3' TERM; echo on; while :; do sleep 0.05; done",
  stopGrace: "1m",
};

function executor(options: Partial<ExecutorOptions> = {}): Executor {
  return createExecutor({ client: at.client, ioDir: at.ioDir, ...options });
}

/** Resolves when an endless step runs and handles its stop signal. */
async function running(handle: StepHandle): Promise<void> {
  for await (const event of handle) if (event.type === "output") return;
}

/** The step's shim: the parent of its process. */
async function shimOf({ id }: StepHandle): Promise<number> {
  const { pid } = await at.client.tasks.get(id);
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
}

/** Marks a running step as that of a process of an earlier boot. */
async function orphan({ id }: StepHandle): Promise<void> {
  const [host] = (await currentOwner()).split("/");
  await at.client.containers.setLabels(id, { "wfe-containerd/owner": `${host}/0/0/1/1` });
}

/** A client for which snapshots cannot be removed until it is healed. */
function clientThatKeepsSnapshots() {
  const state = { isBroken: true };
  const client = createClient({
    address: at.daemon.address,
    namespace: at.client.namespace,
    interceptors: [
      (next) => (request) => {
        if (
          state.isBroken &&
          request.service.typeName.endsWith("Snapshots") &&
          request.method.name === "Remove"
        )
          throw new ContainerdError("the disk has gone", { kind: "unknown" });
        return next(request);
      },
    ],
  });
  return { client, heal: () => Object.assign(state, { isBroken: false }) };
}

/** A client that gives up its first deletions of a task after so long, in milliseconds. */
function clientThatDeletesTasksIn(timeoutMs: number, times: number): Client {
  let deletions = 0;
  return createClient({
    address: at.daemon.address,
    namespace: at.client.namespace,
    interceptors: [
      (next) => async (request) => {
        const isDelete = request.service.typeName.endsWith("Tasks") && request.method.name === "Delete";
        if (!isDelete || ++deletions > times) return next(request);
        const late = AbortSignal.timeout(timeoutMs);
        const signal = AbortSignal.any([request.signal, late]);
        return next({ ...request, signal }).catch((reason: unknown) => {
          if (!late.aborted) throw reason;
          throw new ContainerdError("the operation timed out", { kind: "deadline-exceeded", cause: reason });
        });
      },
    ],
  });
}

test.each(["file", "fifo"] as const)(
  "a failed release hides no result and no error, in %s mode (F5)",
  async (ioMode) => {
    const before = await at.inventory();
    const { client, heal } = clientThatKeepsSnapshots();
    const runner = executor({ client, ioMode });
    const events: StepEvent[] = [];
    const result = await runner.run(SEVEN, { onEvent: (event) => void events.push(event) });
    expect(result).toMatchObject({
      exitCode: 7,
      stdout: "out\n",
      unreleased: [
        { kind: "snapshot", reason: expect.stringContaining("the disk has gone") },
        { kind: "output", id: expect.stringContaining(at.ioDir) },
        {
          kind: "lease",
          reason: expect.stringMatching(/^it is kept as long as the snapshot wfe-\w+ is there$/),
        },
      ],
    });
    expect(events.at(-1)).toEqual({ type: "release-failed", unreleased: result.unreleased });

    await expect(runner.run({ ...STEP, command: ["no-such-program"] })).rejects.toMatchObject({
      kind: "command-not-found",
      unreleased: [{ kind: "snapshot" }, { kind: "output" }, { kind: "lease" }],
    });

    const handle = runner.start(SEVEN);
    expect(await handle.result).toMatchObject({ exitCode: 7 });
    expect(await handle.closed).toMatchObject({ unreleased: [{ kind: "snapshot", id: handle.id }, {}, {}] });
    heal();
    expect(await runner.close()).toEqual({ unreleased: [] });
    await client.close();
    await at.expectNothingLeft(before);
  },
);

test("what could not be released is released later, without being asked", async () => {
  const before = await at.inventory();
  const { client, heal } = clientThatKeepsSnapshots();
  const runner = executor({ client });
  const passes: ReleaseDiagnostic[] = [];
  const handle = runner.start(SEVEN);
  const stop = observe({ release: { end: (pass) => void (pass.id === handle.id && passes.push(pass)) } });
  const { unreleased } = await handle.closed;
  await handle[Symbol.asyncDispose]();
  expect(unreleased).not.toEqual([]);
  heal();
  await at.expectNothingLeft(before);
  await expect.poll(() => passes.at(-1)?.unreleased).toEqual([]);
  stop();
  expect(passes[0]).toMatchObject({ attempt: 1, unreleased, errorKind: "unknown" });
  expect(passes.at(-1)).toMatchObject({ attempt: passes.length, errorKind: undefined });
  expect(passes.length).toBeGreaterThan(1);
  expect(await runner.close()).toEqual({ unreleased: [] });
  await client.close();
});

test("close() tells what is left, and removeOrphans() finishes it in the same process", async () => {
  const before = await at.inventory();
  const { client } = clientThatKeepsSnapshots();
  const runner = executor({ client });
  const { unreleased } = await runner.run(SEVEN);
  expect(await runner.close({ graceMs: 0 })).toEqual({ unreleased });
  await client.close();
  expect(await removeOrphans(at.client)).toEqual({ removed: [unreleased[0]?.id], failed: [] });
  await at.expectNothingLeft(before);
});

test("a closed executor starts nothing, and says so at once", async () => {
  const runner = executor();
  await runner.close();
  const closed = { kind: "closed", message: expect.stringContaining("create another one") };
  await expect(runner.run(SEVEN)).rejects.toMatchObject(closed);
  const handle = runner.start(SEVEN);
  await expect(handle.result).rejects.toMatchObject(closed);
  expect(await handle.closed).toEqual({ unreleased: [] });
});

test("the loop over a handle throws the step's error after the events, unless it is left", async () => {
  await using runner = executor();
  const seen: string[] = [];
  const loop = async (): Promise<void> => {
    for await (const event of runner.start({ ...STEP, command: ["no-such-program"] })) seen.push(event.type);
  };
  await expect(loop()).rejects.toMatchObject({ kind: "command-not-found" });
  expect(seen).toContain("phase");
  for await (const event of runner.start({ ...STEP, command: ["no-such-program"] }))
    if (event.type === "phase") break;
});

test.each([
  ["fails once", FAIL, 1, 0],
  ["fails three times", FAIL, 3, 0],
  ["takes longer than the client waits", "sleep 4", 1, 1],
])("a runc delete that %s takes nothing from a known result (F6)", async (_, script, times, given) => {
  const before = await at.inventory();
  await using client = clientThatDeletesTasksIn(2_000, given);
  await using runner = executor({ client });
  await runc.before("delete", script, times);
  expect(await runner.run(SEVEN)).toMatchObject({
    exitCode: 7,
    cause: "exit",
    stdout: "out\n",
    truncated: false,
  });
  await at.expectNothingLeft(before);
});

test.each([
  ["before runc has begun", "", 0],
  ["when runc has made it, and cannot undo it", 'real "$@"; ', 1],
])("a step whose daemon is killed while its container is created runs: %s", async (_, made, failures) => {
  const before = await at.inventory();
  await using runner = executor();
  // So that the daemon has answered: one that never has is not waited for.
  await runner.run(SEVEN);
  await runc.before("create", `${made}kill -9 ${at.daemon.pid}; sleep 1; exit 1`);
  await runc.before("delete", FAIL, failures);
  const running = runner.run(SEVEN);
  await at.daemon.exited;
  await at.daemon.restart();
  expect(await running).toMatchObject({ exitCode: 7, stdout: "out\n", unreleased: [] });
  await at.expectNothingLeft(before);
});

test("a step whose daemon is killed while runc starts its process is not told as one that did not run", async () => {
  const before = await at.inventory();
  await using runner = executor();
  await runner.run(SEVEN);
  // It has printed by then, and mostly ended. From 1.7 on, the next daemon forgets one that has ended.
  const printed = `until grep -qs out '${at.ioDir}'/wfe-*/stdout; do sleep 0.05; done`;
  await runc.before("start", `real "$@"; ${printed}; sleep 1; kill -9 ${at.daemon.pid}; sleep 1; exit 1`);
  const handle = runner.start(SEVEN);
  await at.daemon.exited;
  await at.daemon.restart();
  const result = await handle.result;
  expect(result.stdout).toBe("out\n");
  if (result.cause === "exit") expect(result.exitCode).toBe(7);
  else expect(result).toMatchObject({ cause: "unknown", exitCode: null, ok: false });
  await handle.started;
  expect(await handle.closed).toEqual({ unreleased: [] });
  await handle[Symbol.asyncDispose]();
  await at.expectNothingLeft(before);
});

test("a step that cannot be started after its daemon died while it started it is not told as one that did not run", async () => {
  const before = await at.inventory();
  await using runner = executor();
  await runner.run(SEVEN);
  await runc.before("start", `kill -9 ${at.daemon.pid}; sleep 1; exit 1`);
  await runc.before("start", FAIL);
  const handle = runner.start(SEVEN);
  await at.daemon.exited;
  await at.daemon.restart();
  expect(await handle.result).toMatchObject({ cause: "unknown", exitCode: null, stdout: "" });
  expect(await handle.closed).toEqual({ unreleased: [] });
  await handle[Symbol.asyncDispose]();
  await at.expectNothingLeft(before);
});

test("a runc kill that fails once is tried again (F7)", async () => {
  const before = await at.inventory();
  await using runner = executor();
  const handle = runner.start(ENDLESS);
  await running(handle);
  await runc.before("kill", FAIL);
  handle.stop();
  expect(await handle.result).toMatchObject({ exitCode: 3, cause: "aborted" });
  // Until then its log can be read, so its files are open.
  await handle[Symbol.asyncDispose]();
  await at.expectNothingLeft(before);
});

test("a runc kill that always fails is told, no other attempt follows, and the step is ended later (fault case 20, F7)", async () => {
  const before = await at.inventory();
  const runner = executor();
  const step = { ...ENDLESS, stopGrace: "1s", retry: { attempts: 3, delay: "0ms" } };
  // Before the start: on a busy machine the time-out may pass before the next line.
  await runc.before("kill", FAIL, 400);
  const handles = [runner.start(step), runner.start({ ...step, timeoutMs: 3_000 })] as const;
  await Promise.all(handles.map(running));
  handles[0].stop();
  for (const { id, result, closed } of handles) {
    await expect(result).rejects.toMatchObject({
      kind: "runtime",
      message: expect.stringMatching(
        /^container wfe-\w+ could not be killed, and may still run: .*the stand-in fails/s,
      ),
      attempts: [{ id, cause: "runtime", exitCode: null }],
    });
    expect(await closed).toMatchObject({ unreleased: [{ kind: "task", id }, {}, {}, {}, {}] });
  }
  await runc.heal();
  // Without being asked. To close the executor does it, too, but for ten seconds only.
  await expect.poll(() => listSteps(at.client)).toEqual([]);
  expect(await runner.close()).toEqual({ unreleased: [] });
  await at.expectNothingLeft(before);
});

test("a step whose shim does not answer stays visible, keeps no other from removal, and is ended when it answers (F8, F20)", async () => {
  const before = await at.inventory();
  const runner = executor();
  const [stuck, other] = [runner.start({ ...ENDLESS, stopGrace: "1s" }), runner.start(ENDLESS)] as const;
  await Promise.all([running(stuck), running(other)]);
  const shim = await shimOf(stuck);
  await pauseProcess(shim);
  try {
    await orphan(other);
    stuck.stop();
    await expect(stuck.result).rejects.toMatchObject({ kind: "runtime" });
    expect(await stuck.closed).toMatchObject({ unreleased: [{ kind: "task" }, {}, {}, {}, {}] });
    await orphan(stuck);
    expect(await removeOrphans(at.client)).toEqual({
      removed: [other.id],
      failed: [{ id: stuck.id, reason: expect.stringContaining("could not be killed") }],
    });
    expect(await listSteps(at.client)).toMatchObject([{ id: stuck.id, name: STEP.name }]);
  } finally {
    process.kill(shim, "SIGCONT");
  }
  await other.closed;
  expect((await removeOrphans(at.client)).failed).toEqual([]);
  expect(await runner.close()).toEqual({ unreleased: [] });
  await at.expectNothingLeft(before);
});

test("a task that has lost its container is listed, and removed with all that the step had", async () => {
  const before = await at.inventory();
  const runner = executor();
  const handle = runner.start(ENDLESS);
  await running(handle);
  await at.client.containers.delete(handle.id);
  await at.client.leases.delete(handle.id, { sync: true });
  expect(await listSteps(at.client)).toMatchObject([{ id: handle.id, status: "running", owner: "" }]);
  expect(await removeOrphans(at.client)).toEqual({ removed: [handle.id], failed: [] });
  await handle.closed;
  await runner.close();
  await at.expectNothingLeft(before);
});

test("an output directory that could not be made is made for the next step, once it can be", async () => {
  const parent = join(at.daemon.directory, `io-${randomUUID()}`);
  await writeFile(parent, "");
  const runner = executor({ ioDir: join(parent, "io") });
  await expect(runner.run(SEVEN)).rejects.toMatchObject({ kind: "io", unreleased: [] });
  await rm(parent);
  expect(await runner.run(SEVEN)).toMatchObject({ exitCode: 7, stdout: "out\n" });
  expect(await runner.close()).toEqual({ unreleased: [] });
});

test("a private output directory that was cleaned away is made again", async () => {
  const runner = createExecutor({ client: at.client });
  const directory = async (): Promise<string> => {
    const handle = runner.start(ENDLESS);
    await running(handle);
    const { labels } = await at.client.containers.get(handle.id);
    handle.stop();
    await handle.closed;
    return dirname(labels["wfe-containerd/io"] as string);
  };
  const first = await directory();
  await rm(first, { recursive: true });
  const second = await directory();
  expect(second).not.toBe(first);
  await runner.close();
  await expect(access(second)).rejects.toMatchObject({ code: "ENOENT" });
});

test("output that a step had before its container is removed with its lease (F21)", async () => {
  const before = await at.inventory();
  const id = "wfe-0123456789abcdef0123";
  const directory = join(at.ioDir, id);
  await mkdir(directory);
  const [host] = (await currentOwner()).split("/");
  const labels = { "wfe-containerd/owner": `${host}/0/0/1/1`, "wfe-containerd/io": directory };
  await at.client.leases.create({ id, labels });
  await at.client.with({ leaseId: id }).snapshots.prepare(id, "", {});
  expect(await removeOrphans(at.client)).toEqual({ removed: [id], failed: [] });
  await at.expectNothingLeft(before);
});

test("private output directories of dead processes are removed, and those of living ones stay (F16)", async () => {
  const owner = await currentOwner();
  const make = async (text: string): Promise<string> => {
    const directory = await mkdtemp(join(tmpdir(), "wfe-containerd-"));
    await writeFile(join(directory, "owner"), text);
    return directory;
  };
  const living = await make(owner);
  const dead = await make(owner.replace(/\d+$/, "1"));
  const used = await make(owner.replace(/\d+$/, "1"));
  await mkdir(join(used, "wfe-of-another-namespace"));
  await removeOrphans(at.client);
  await expect(access(dead)).rejects.toMatchObject({ code: "ENOENT" });
  for (const directory of [living, used]) {
    await access(join(directory, "owner"));
    await rm(directory, { recursive: true });
  }
});
