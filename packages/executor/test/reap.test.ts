import { execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { access, mkdir, mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { createClient } from "@wfe-containerd/client";
import { currentOwner } from "@wfe-containerd/client/internal";
import {
  createExecutor,
  type Executor,
  type ExecutorOptions,
  type Leftover,
  listSteps,
  observe,
  type ReapDiagnostic,
  type ReapReport,
  reap,
  removeStep,
  type StepHandle,
} from "@wfe-containerd/executor";
import { useDaemon, whatIsLeft } from "@wfe-containerd/test-infra/daemon";
import { createRuncStandIn } from "@wfe-containerd/test-infra/daemon/runc-stand-in";
import { afterAll, expect, test, vi } from "vitest";
import { startStepProcess } from "./step-process.js";

const run = promisify(execFile);
const runc = await createRuncStandIn();
const at = useDaemon({ binDir: runc.binDir });
afterAll(() => runc[Symbol.asyncDispose]());

const STEP = { name: "left", image: "busybox" };
const ENDLESS = { ...STEP, run: "echo on; exec sleep 600", stopGrace: "1s" };
const OWNER = "wfe-containerd/owner";

function executor(options: Partial<ExecutorOptions> = {}): Executor {
  return createExecutor({ client: at.client, ioDir: at.ioDir, ...options });
}

function newId(): string {
  return `wfe-${randomBytes(10).toString("hex")}`;
}

/** Runs left-behind.mjs. */
function startLeftBehind(moment?: "timeout") {
  const script = fileURLToPath(new URL("left-behind.mjs", import.meta.url));
  const args = [script, at.daemon.address, at.client.namespace, ...(moment === undefined ? [] : [moment])];
  return spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
}

/** Runs left-behind.mjs until its step runs, and kills it. */
async function killedProcess(moment?: "timeout"): Promise<{ readonly output: string }> {
  const child = startLeftBehind(moment);
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
    child.kill("SIGKILL");
  });
  await once(child, "close");
  return { output: output.trim() };
}

/** The owner's label of a process of an earlier boot of this machine. */
async function deadOwner(): Promise<string> {
  const [host] = (await currentOwner()).split("/");
  return `${host}/0/0/1/1`;
}

/** Takes a running step from its executor, as if that had died. */
async function orphan({ id }: StepHandle): Promise<void> {
  await at.client.containers.setLabels(id, { [OWNER]: await deadOwner() });
}

/** Steps run by another process, which has died. The executor here only begins them. */
async function orphans(count: number): Promise<{ readonly ids: string[]; settled(): Promise<void> }> {
  const runner = executor();
  const handles = Array.from({ length: count }, () => runner.start(ENDLESS));
  await Promise.all(handles.map(({ started }) => started));
  await Promise.all(handles.map(orphan));
  return {
    ids: handles.map(({ id }) => id).sort(),
    settled: async () => {
      await Promise.all(handles.map(({ closed }) => closed));
      await runner.close();
    },
  };
}

/** Without what other suites on this machine leave. */
function ofDaemon({ removed, failed }: ReapReport): ReapReport {
  const isOurs = ({ kind }: Leftover): boolean => kind !== "temporary-directory";
  return { removed: removed.filter(isOurs), failed: failed.filter(isOurs) };
}

function kinds({ removed }: ReapReport): string[] {
  return removed.map(({ kind }) => kind).sort();
}

test("what a killed process leaves is listed by a dry run, which changes nothing, and is then removed (F16)", async () => {
  const before = await at.inventory();
  const { output: id } = await killedProcess();
  const left = await at.inventory();
  const observed: ReapDiagnostic[] = [];
  const stop = observe({ reap: { end: (message) => void observed.push(message) } });
  const dry = await reap(at.client, { dryRun: true });
  const after = await at.inventory();
  expect(whatIsLeft(left, after), "made by the dry run").toEqual({});
  expect(whatIsLeft(after, left), "removed by the dry run").toEqual({});
  expect(kinds(ofDaemon(dry))).toEqual(
    ["container", "ingest", "lease", "lease", "output", "snapshot", "task"].sort(),
  );
  const container = dry.removed.find(({ kind }) => kind === "container");
  expect(container).toEqual({
    kind: "container",
    id,
    stepId: id,
    reason: expect.stringMatching(/^its executor, process \d+ on .+, has ended$/),
  });
  const output = dry.removed.find(({ kind }) => kind === "output")?.id ?? "";
  const directory = output.slice(0, output.lastIndexOf("/"));
  expect(dry.removed).toContainEqual({
    kind: "temporary-directory",
    id: directory,
    reason: "its process has ended",
  });
  expect(await listSteps(at.client)).toMatchObject([{ id, executor: "gone" }]);

  const real = await reap(at.client);
  stop();
  const { address, namespace } = at.client;
  const common = { address, namespace, durationMs: expect.any(Number), errorKind: undefined };
  expect(observed).toEqual([
    { ...common, dryRun: true, ...dry },
    { ...common, dryRun: false, ...real },
  ]);
  expect(ofDaemon(real)).toEqual(ofDaemon(dry));
  await expect(access(directory)).rejects.toMatchObject({ code: "ENOENT" });
  await at.expectNothingLeft(before);
  expect(ofDaemon(await reap(at.client))).toEqual({ removed: [], failed: [] });
});

test("a step that its executor removes while it is claimed is no failure", async () => {
  const before = await at.inventory();
  const left = await orphans(1);
  const [id = ""] = left.ids;
  await using client = createClient({
    address: at.daemon.address,
    namespace: at.client.namespace,
    interceptors: [
      (next) => async (request) => {
        const isUpdate = request.method.name === "Update" && request.service.typeName.endsWith(".Containers");
        if (isUpdate) await removeStep(at.client, id);
        return next(request);
      },
    ],
  });
  expect(ofDaemon(await reap(client))).toEqual({ removed: [], failed: [] });
  await left.settled();
  await at.expectNothingLeft(before);
});

test("a process that is killed while its task is created leaves nothing that reap does not find (F21)", async () => {
  const before = await at.inventory();
  const reached = join(at.daemon.directory, "creating");
  await runc.before("create", `touch ${reached}; real "$@"; exit`);
  const child = startLeftBehind();
  await expect.poll(() => existsSync(reached)).toBe(true);
  child.kill("SIGKILL");
  await once(child, "close");
  const { failed } = await reap(at.client);
  expect(failed).toEqual([]);
  await at.expectNothingLeft(before);
});

test("a machine that dies when a step has its files and no record leaves nothing that reap does not find (F21)", async () => {
  const before = await at.inventory();
  const { ioDir } = at;
  const dead = startStepProcess(at.client, {
    options: { ioDir },
    starts: [{ step: STEP }],
    killAt: { when: "instead", call: "Containers.Create" },
  });
  await dead.until("held", 1);
  const directory = join(ioDir, dead.said[0]?.id ?? "");
  await expect
    .poll(() => readdir(directory).catch(() => []))
    .toEqual(expect.arrayContaining(["stdout", "stderr"]));
  at.daemon.kill("SIGKILL");
  await Promise.all([at.daemon.exited, dead.kill()]);
  await at.daemon.restart();
  const { removed, failed } = ofDaemon(await reap(at.client, { ioDir }));
  expect(removed).toContainEqual(expect.objectContaining({ kind: "output", id: directory }));
  expect(failed).toEqual([]);
  await at.expectNothingLeft(before);
});

test("a shim of which containerd has no record any more is ended (F21)", async () => {
  const before = await at.inventory();
  const { output: id } = await killedProcess();
  at.daemon.kill("SIGKILL");
  await at.daemon.exited;
  // The daemon learns from the bundle that there is a shim.
  const tasks = join(at.daemon.directory, "state/io.containerd.runtime.v2.task", at.client.namespace);
  await run("umount", [join(tasks, id, "rootfs")]);
  await rm(join(tasks, id), { recursive: true });
  await at.daemon.restart();
  expect(await at.client.tasks.list()).toEqual([]);
  await at.client.containers.delete(id);
  for (const lease of await at.client.leases.list()) await lease.delete({ sync: true });
  expect((await at.inventory()).shims).toEqual([expect.stringContaining(id)]);
  const { failed } = await reap(at.client);
  expect(failed).toEqual([]);
  await at.expectNothingLeft(before);
});

test("control groups that are left when runc is killed in the middle of a creation are removed (F9)", async () => {
  const before = await at.inventory();
  await using runner = executor();
  const { namespace } = at.client;
  const groups = `/sys/fs/cgroup/*/${namespace}/wfe-* /sys/fs/cgroup/${namespace}/wfe-*`;
  const isMade = `for group in ${groups}; do [ -d "$group" ] && break; done; [ -d "$group" ]`;
  // The group may be gone before it is seen. It is looked for as long as runc is the parent of who looks.
  const isOver = '{ read -r _ _ _ parent _ < /proc/self/stat; [ "$parent" != $$ ]; }';
  for (let round = 0; round < 3; round++) {
    await runc.before("create", `(until { ${isMade}; } || ${isOver}; do :; done; ${isOver} || kill -9 $$) &`);
    await runner.run({ ...STEP, run: "true" }).catch(() => undefined);
    expect((await runner.reap()).failed).toEqual([]);
  }
  await at.expectNothingLeft(before);
});

test("control groups and addresses of steps that are gone are removed, and those in use stay", async () => {
  const before = await at.inventory();
  const dataDir = await mkdtemp(join(tmpdir(), "test-addresses-"));
  const bridge = { name: "reaptest0", dataDir };
  await mkdir(join(dataDir, bridge.name));
  const take = (address: string, id: string): Promise<void> =>
    writeFile(join(dataDir, bridge.name, address), `${id}\r\neth0`);
  await using runner = executor();
  const handle = runner.start(ENDLESS);
  await handle.started;
  const gone = newId();
  const group = (await at.inventory()).cgroups[0]?.replace(handle.id, gone) as string;
  await mkdir(join(group, "inner"), { recursive: true });
  await take("10.87.0.2", gone);
  await take("10.87.0.3", handle.id);
  await take("10.87.0.4", "another-program");

  const report = ofDaemon(await reap(at.client, { bridge }));
  const reason = "nothing else of the step is left";
  expect(report).toEqual({
    removed: [
      { kind: "control-group", id: gone, stepId: gone, reason },
      { kind: "network-address", id: gone, stepId: gone, reason },
    ],
    failed: [],
  });
  expect(await readdir(join(dataDir, bridge.name))).toEqual(
    expect.arrayContaining(["10.87.0.3", "10.87.0.4"]),
  );
  await expect(access(join(dataDir, bridge.name, "10.87.0.2"))).rejects.toMatchObject({ code: "ENOENT" });
  await expect(access(group)).rejects.toMatchObject({ code: "ENOENT" });

  await take("10.87.0.5", newId());
  const without = { ...bridge, pluginDirs: ["/nowhere"] };
  expect((await reap(at.client, { bridge: without })).failed).toMatchObject([
    { kind: "network-address", failure: expect.stringContaining("/nowhere") },
  ]);
  await rm(dataDir, { recursive: true });
  await handle[Symbol.asyncDispose]();
  await at.expectNothingLeft(before);
});

test("two calls at once remove all orphans, and neither fails", async () => {
  const before = await at.inventory();
  const { settled } = await orphans(4);
  const reports = await Promise.all([reap(at.client), reap(at.client)]);
  expect(reports.flatMap(({ failed }) => failed)).toEqual([]);
  await settled();
  await at.expectNothingLeft(before);
});

test("a step that a living process has taken over is left alone, and its old claims go with it", async () => {
  const before = await at.inventory();
  const { ids, settled } = await orphans(1);
  const [id = ""] = ids;
  const claim = (number: number, owner: string) =>
    at.client.leases.create({
      id: `${id}.own.${number}`,
      labels: { [OWNER]: owner, "wfe-containerd/claim": id },
    });
  await claim(1, await deadOwner());
  const living = await claim(2, await currentOwner());
  expect(ofDaemon(await reap(at.client))).toEqual({ removed: [], failed: [] });
  expect(await listSteps(at.client)).toMatchObject([{ id, executor: "alive", afterEnd: undefined }]);
  await living.delete();
  const report = ofDaemon(await reap(at.client));
  expect(report.failed).toEqual([]);
  expect(report.removed.map((left) => left.stepId)).toEqual(report.removed.map(() => id));
  await settled();
  await at.expectNothingLeft(before);
});

test("claims of dead processes on steps that are gone are removed, and those of living ones stay", async () => {
  const before = await at.inventory();
  const claim = async (owner: string): Promise<string> => {
    const id = newId();
    const labels = { [OWNER]: owner, "wfe-containerd/claim": id };
    await at.client.leases.create({ id: `${id}.own.1`, labels });
    return `${id}.own.1`;
  };
  const [dead, living] = [await claim(await deadOwner()), await claim(await currentOwner())];
  const reason = "its process has ended";
  expect(ofDaemon(await reap(at.client))).toEqual({
    removed: [{ kind: "lease", id: dead, reason }],
    failed: [],
  });
  await at.client.leases.delete(living);
  await at.expectNothingLeft(before);
});

test("of reap and recover at once, one gets a step", async () => {
  const before = await at.inventory();
  const { output: id } = await killedProcess();
  const runner = executor();
  const recovering = (async () => {
    const handles: StepHandle[] = [];
    for await (const handle of runner.recover({ policy: "stop" })) handles.push(handle);
    return handles;
  })();
  const [handles, { removed, failed }] = await Promise.all([recovering, reap(at.client)]);
  expect(failed).toEqual([]);
  const isRemoved = removed.some(({ kind, stepId }) => kind === "container" && stepId === id);
  expect(handles.map((handle) => handle.id)).toEqual(isRemoved ? [] : [id]);
  for (const handle of handles) {
    expect(await handle.result).toMatchObject({ cause: "aborted" });
    await handle[Symbol.asyncDispose]();
  }
  await runner.close();
  // The temporary directory could not go before the step's output.
  await reap(at.client);
  await at.expectNothingLeft(before);
});

test("an executor ends the step of a dead one when its time-out has passed, and not before (F14)", async () => {
  const before = await at.inventory();
  const { output: limited } = await killedProcess("timeout");
  const { output: endless } = await killedProcess();
  await using runner = executor({ reapIntervalMs: 100, orphanGraceMs: 3_600_000 });
  const listed = async (): Promise<string[]> => (await listSteps(at.client)).map(({ id }) => id);
  await expect.poll(listed).not.toContain(limited);
  expect(await listed()).toEqual([endless]);
  expect((await runner.reap()).failed).toEqual([]);
  await at.expectNothingLeft(before);
});

test("calls in a loop beside an executor that runs 20 steps harm none of them", async () => {
  const before = await at.inventory();
  const runner = executor();
  let isOver = false;
  const reports: ReapReport[] = [];
  const loop = (async () => {
    while (!isOver) reports.push(ofDaemon(await reap(at.client)));
  })();
  const results = [];
  for (let round = 0; round < 5; round++) {
    const four = Array.from({ length: 4 }, () => runner.run({ ...STEP, run: "echo out; exit 7" }));
    results.push(...(await Promise.all(four)));
  }
  isOver = true;
  await loop;
  for (const result of results)
    expect(result).toMatchObject({ exitCode: 7, cause: "exit", stdout: "out\n", unreleased: [] });
  expect(results).toHaveLength(20);
  expect(reports.length).toBeGreaterThan(1);
  for (const { removed, failed } of reports) {
    expect(failed).toEqual([]);
    // A shim may take long to end when its step is released. It has nothing more to do.
    expect(removed.filter(({ kind }) => kind !== "shim")).toEqual([]);
  }
  await runner.close();
  await at.expectNothingLeft(before);
});

test("what others made is left alone: other programs, machines and PID namespaces, and what is young", async () => {
  const { client } = at;
  const [host, boot, , pid, start] = (await currentOwner()).split("/");
  const owners = [
    `another-host/${boot}/1/${pid}/${start}`,
    `${host}/${boot}/1/${pid}/${start}`,
    await currentOwner(),
  ];
  const made: string[] = [];
  for (const owner of owners) {
    const id = newId();
    made.push(id);
    await client.leases.create({ id, labels: { [OWNER]: owner } });
    await client.containers.create({ id, spec: {}, labels: { [OWNER]: owner } });
  }
  const young = newId();
  await client.leases.create({ id: young, labels: { [OWNER]: await deadOwner() } });
  await client.leases.create({ id: "of-another-program" });
  await client.containers.create({ id: "of-another-program", spec: {} });
  await client.with({ leaseId: "of-another-program" }).snapshots.prepare("of-another-program", "", {});

  const report = ofDaemon(await reap(client, { graceMs: 3_600_000 }));
  expect(report).toEqual({ removed: [], failed: [] });
  expect((await listSteps(client)).map((step) => step.executor).sort()).toEqual([
    "alive",
    "unknown",
    "unknown",
  ]);
  expect(kinds(ofDaemon(await reap(client)))).toEqual(["lease"]);

  for (const id of made) await removeStep(client, id);
  await client.containers.delete("of-another-program");
  await client.snapshots.remove("of-another-program");
  await client.leases.delete("of-another-program", { sync: true });
});

test("output of which nothing else is left is removed if it is marked as that of this daemon", async () => {
  const make = async (mark: object | undefined): Promise<string> => {
    const directory = join(at.ioDir, newId());
    await mkdir(directory);
    if (mark !== undefined) await writeFile(join(directory, "owner.json"), JSON.stringify(mark));
    return directory;
  };
  const { address, namespace } = at.client;
  const owner = await deadOwner();
  const [left, ...others] = await Promise.all([
    make({ owner, address, namespace }),
    make({ owner: await currentOwner(), address, namespace }),
    make({ owner, address, namespace: "another" }),
    make({ owner, address: "unix:///another.sock", namespace }),
    make({ owner: 1 }),
    make(undefined),
  ]);
  const report = ofDaemon(await reap(at.client, { ioDir: at.ioDir }));
  expect(report).toMatchObject({ removed: [{ kind: "output", id: left }], failed: [] });
  for (const other of others) {
    await access(other);
    await rm(other, { recursive: true });
  }
});

test("an empty temporary directory without a process is removed when it is not new", async () => {
  // Where no other suite on this machine looks.
  const parent = await mkdtemp(join(tmpdir(), "test-temporary-"));
  vi.stubEnv("TMPDIR", parent);
  try {
    const [old, fresh] = [
      await mkdtemp(join(parent, "wfe-containerd-")),
      await mkdtemp(join(parent, "wfe-containerd-")),
    ];
    await utimes(old, 1, 1);
    const { removed } = await reap(at.client);
    expect(removed).toContainEqual(expect.objectContaining({ kind: "temporary-directory", id: old }));
    expect(await readdir(parent)).toEqual([basename(fresh)]);
  } finally {
    vi.unstubAllEnvs();
    await rm(parent, { recursive: true });
  }
});

test("an executor removes by itself what dead ones left, and their steps after a time", async () => {
  const before = await at.inventory();
  const { ids, settled } = await orphans(1);
  const lease = newId();
  await at.client.leases.create({ id: lease, labels: { [OWNER]: await deadOwner() } });
  const has = async (id: string): Promise<boolean> =>
    (await at.client.leases.list()).some((found) => found.id === id);

  const patient = executor({ reapIntervalMs: 100 });
  await expect.poll(() => has(lease)).toBe(false);
  expect(await listSteps(at.client)).toMatchObject([{ id: ids[0], executor: "gone" }]);
  await patient.close();

  const hasty = executor({ reapIntervalMs: 100, orphanGraceMs: 0 });
  await expect.poll(() => listSteps(at.client)).toEqual([]);
  await hasty.close();
  await expect(hasty.reap()).rejects.toMatchObject({ kind: "closed" });
  await settled();
  await at.expectNothingLeft(before);
});
