import { randomBytes } from "node:crypto";
import {
  type Client,
  type ContainerdEvent,
  createClient,
  createOutage,
  type OutageOptions,
  observe,
} from "@wfe-containerd/client";
import { pauseProcess, useDaemon } from "@wfe-containerd/test-infra/daemon";
import { startPath } from "@wfe-containerd/test-infra/daemon/path";
import { buildImage, busyboxArchive } from "@wfe-containerd/test-infra/images";
import { startRegistry } from "@wfe-containerd/test-infra/registry";
import { putAsBuilt } from "@wfe-containerd/test-infra/registry/put-as-built";
import { describe, expect, test, vi } from "vitest";

const here = useDaemon();
const SPEC = { ociVersion: "1.0.2" };

/** Kills the daemon, and starts it again. Resolves when it is dead. */
async function killAndRestart(): Promise<void> {
  const dead = restarting.then(() => {
    here.daemon.kill("SIGKILL");
    return here.daemon.exited;
  });
  restarting = dead.then(() => here.daemon.restart());
  await dead;
}
let restarting = Promise.resolve();

/** Kills the daemon. It is started again when somebody has noticed, which may take a busy machine a while. */
async function killDaemon(): Promise<() => void> {
  await restarting;
  here.daemon.kill("SIGKILL");
  await here.daemon.exited;
  return () => {
    restarting = here.daemon.restart();
  };
}

interface Disturbance {
  /** Resolves when a call that is made now fails. Its result lets later ones through. */
  strike(): Promise<() => void>;
  /** The calls to disturb; all that change something, if undefined. */
  readonly methods?: readonly string[];
  readonly address?: string;
}

const READING = ["Version", "Get", "Info", "Mounts", "Stat", "List", "Plugins", "Wait"];

/**
 * A client that waits for its daemon, and to which something happens at each call that changes something:
 * just
 * before the daemon gets it, or just after the daemon has done it, when its answer is lost.
 */
function disturbedClient(moment: "before" | "after", { strike, address, methods }: Disturbance) {
  const struck: string[] = [];
  const events: string[] = [];
  const client = createClient({
    address: address ?? here.daemon.address,
    namespace: here.client.namespace,
    interceptors: [
      (next) => async (request) => {
        const { name } = request.method;
        const isMeant = methods === undefined ? !READING.includes(name) : methods.includes(name);
        if (!isMeant || struck.includes(`${request.service.typeName}/${name}`)) return next(request);
        struck.push(`${request.service.typeName}/${name}`);
        const answer = moment === "after" ? await next(request) : undefined;
        const mend = await strike();
        // Its messages can be sent only once. What has not arrived of the answer is lost.
        if (answer?.stream === true) {
          mend();
          return answer;
        }
        // The daemon or the path to it is gone: this fails as it would in real life.
        return next(request).finally(mend);
      },
    ],
  });
  const outage = createOutage({
    onAway: () => void events.push("away"),
    onBack: () => void events.push("back"),
  });
  return { client: client.with({ outage }), struck, events, [Symbol.asyncDispose]: () => client.close() };
}

/** Does everything that running a step does. */
async function runContainer(client: Client, id: string): Promise<number> {
  const lease = await client.leases.create({ id, expireMs: 3_600_000 });
  const leased = client.with({ leaseId: lease.id });
  const { chainId } = await client.images.resolve("busybox");
  const rootfs = await leased.snapshots.prepare(id, chainId);
  const process = { args: ["sh", "-c", "exit 7"], cwd: "/", env: ["PATH=/bin"], user: { uid: 0, gid: 0 } };
  const linux = {
    cgroupsPath: `/${client.namespace}/${id}`,
    namespaces: ["pid", "mount", "network"].map((type) => ({ type })),
  };
  const spec = {
    ...SPEC,
    root: { path: "rootfs" },
    mounts: [{ destination: "/proc", type: "proc", source: "proc" }],
    process,
    linux,
  };
  await leased.containers.create({ id, image: "busybox", snapshotKey: id, spec });
  await client.tasks.create({ containerId: id, rootfs });
  const ended = client.tasks.wait(id);
  ended.catch(() => undefined);
  await client.tasks.start(id);
  const { exitCode } = await ended;
  const deleted = await client.tasks.delete(id);
  expect(deleted.exitCode).toBe(exitCode);
  await client.containers.delete(id);
  await client.snapshots.remove(id);
  await lease.delete();
  return exitCode;
}

describe.each(["before", "after"] as const)("an outage %s each call", (moment) => {
  test("does not change what a container comes to: the daemon is killed", async () => {
    const before = await here.inventory();
    await using disturbed = disturbedClient(moment, {
      strike: killDaemon,
      // From 1.7 on, a daemon forgets a process that ends while it is down. See the next test for the others.
      methods: ["Prepare", "Create", "Remove", "Delete"],
    });
    const { client, struck, events } = disturbed;
    const repeated: string[] = [];
    const stop = observe({
      rpc: {
        end({ service, method, attempt }) {
          if (attempt > 1) repeated.push(`${service}.${method}`);
        },
      },
      retry: { end: ({ what, attempt }) => void repeated.push(`${what} ${attempt}`) },
    });
    expect(await runContainer(client, `killed-${moment}`)).toBe(7);
    stop();
    expect(repeated).toContain("leases.create 2");
    // What the daemon had done already is looked up, and not asked again.
    expect(repeated.includes("containerd.services.leases.v1.Leases.Create")).toBe(moment === "before");
    expect(struck.length).toBe(8);
    expect(events.slice(0, 2)).toEqual(["away", "back"]);
    await restarting;
    await here.expectNothingLeft(before);
  });

  test("does not change what a container comes to: the path is cut (F3, F21)", async () => {
    const before = await here.inventory();
    await using path = await startPath(here.daemon.socketPath);
    await using disturbed = disturbedClient(moment, {
      async strike() {
        path.cut();
        return () => undefined;
      },
      address: path.address,
    });
    const { client, struck } = disturbed;
    expect(await runContainer(client, `cut-${moment}`)).toBe(7);
    expect(struck.length).toBe(10);
    await here.expectNothingLeft(before);
  });

  test("does not change a snapshot's commit, or content that is written and read", async () => {
    await using disturbed = disturbedClient(moment, {
      strike: killDaemon,
      methods: ["Commit", "Read", "Write", "Update"],
    });
    const { client, struck } = disturbed;
    await using lease = await client.leases.create({ expireMs: 3_600_000 });
    const leased = client.with({ leaseId: lease.id });
    await leased.snapshots.prepare(`${moment}-key`);
    await leased.snapshots.commit(`${moment}-name`, `${moment}-key`);
    expect(await leased.snapshots.stat(`${moment}-name`)).toMatchObject({ kind: "committed" });
    const bytes = randomBytes(3_000_000);
    const { digest } = await leased.content.write({ ref: `written-${moment}` }, bytesOf(bytes));
    expect(Buffer.compare(await leased.content.readAll(digest, { maxBytes: 3_000_000 }), bytes)).toBe(0);
    expect(struck.length).toBeGreaterThanOrEqual(3);
    await leased.snapshots.remove(`${moment}-name`);
    await restarting;
  });
});

async function* bytesOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

function patientClient(options: OutageOptions = {}, keepAliveMs = 15_000) {
  const { namespace } = here.client;
  const plain = createClient({ address: here.daemon.address, namespace, keepAliveMs });
  return { plain, client: plain.with({ outage: createOutage(options) }), [Symbol.asyncDispose]: plain.close };
}

test("bytes go on where they were when the daemon is killed between them, in both directions", async () => {
  await using patient = patientClient();
  const { client } = patient;
  await using lease = await client.leases.create({ expireMs: 3_600_000 });
  const { content } = client.with({ leaseId: lease.id });
  const parts = Array.from({ length: 8 }, () => randomBytes(600_000));
  async function* source(): AsyncGenerator<Uint8Array> {
    for (const [index, part] of parts.entries()) {
      if (index === 3 || index === 6) await killAndRestart();
      yield part;
    }
  }
  const { digest, size } = await content.write({ ref: "in-parts" }, source());
  expect(size).toBe(8 * 600_000);
  const read: Uint8Array[] = [];
  for await (const chunk of content.read(digest, { offset: 5, size: size - 10 })) {
    if (read.length === 2) await killAndRestart();
    read.push(chunk);
  }
  expect(Buffer.compare(Buffer.concat(read), Buffer.concat(parts).subarray(5, -5))).toBe(0);
  await restarting;
});

test("a subscription waits for the daemon too, and tells of the gap", async () => {
  await using patient = patientClient();
  const { client } = patient;
  const events: ContainerdEvent[] = [];
  const subscription = client.events.subscribe({ filters: ['topic=="/snapshot/prepare"'] });
  await subscription.ready();
  const reading = (async () => {
    for await (const event of subscription) {
      events.push(event);
      if (event.type !== "gap") break;
    }
  })();
  await killAndRestart();
  await restarting;
  await expect.poll(() => events.map(({ type }) => type)).toEqual(["gap"]);
  await using lease = await client.leases.create();
  await client.with({ leaseId: lease.id }).snapshots.prepare("told");
  await reading;
  expect(events.map(({ type }) => type)).toEqual(["gap", "containerd.events.SnapshotPrepare"]);
});

test("a daemon on a Unix socket that hangs is noticed while a call waits, which then gets its answer (F17)", async () => {
  const events: string[] = [];
  await using patient = patientClient(
    { onAway: ({ kind }) => void events.push(kind), onBack: () => void events.push("back") },
    500,
  );
  const { client } = patient;
  const observed: object[] = [];
  const see = (message: object): void => void observed.push({ ...message });
  const stop = observe({ outage: { start: see, end: see } });
  const abort = new AbortController();
  const filters = ['topic=="/snapshot/prepare"'];
  const subscription = client.events.subscribe({ filters, signal: abort.signal });
  await subscription.ready();
  const next = subscription[Symbol.asyncIterator]().next();
  await pauseProcess(here.daemon.pid);
  // On a busy machine the daemon may have been away for a moment before.
  await expect.poll(() => events.at(-1)).toBe("unavailable");
  here.daemon.kill("SIGCONT");
  await expect.poll(() => events.slice(-2)).toEqual(["unavailable", "back"]);
  await expect.poll(() => observed.at(-1)).toHaveProperty("durationMs");
  stop();
  const away = { address: here.daemon.address, reason: "the daemon does not answer: does it hang?" };
  expect(observed.slice(-2)).toEqual([away, { ...away, durationMs: expect.any(Number) }]);
  await using lease = await client.leases.create();
  await client.with({ leaseId: lease.id }).snapshots.prepare("after-the-pause");
  // The connection was kept, so there is no gap.
  expect(await next).toMatchObject({ value: { payload: { key: "after-the-pause" } } });
  abort.abort();
});

test("calls of a daemon that stays away fail soon after the deadline, and the next ones at once", async () => {
  const outage = createOutage({ timeoutMs: 1_000 });
  const sent: string[] = [];
  await using plain = createClient({
    address: here.daemon.address,
    namespace: here.client.namespace,
    interceptors: [
      (next) => (request) => {
        sent.push(request.method.name);
        return next(request);
      },
    ],
  });
  const client = plain.with({ outage });
  const away = { kind: "unavailable", message: expect.stringContaining("the daemon has been away for") };
  await client.version();
  await pauseProcess(here.daemon.pid);
  try {
    // A wait has no deadline of its own. It is in flight all the time.
    const waiting = client.events.subscribe().ready();
    const failed = [waiting, client.containers.list([], { timeoutMs: 500 }), client.leases.list()];
    await Promise.all(failed.map((each) => expect(each).rejects.toMatchObject(away)));
    await expect(client.leases.create()).rejects.toMatchObject(away);
    expect(sent).not.toContain("Create");
  } finally {
    here.daemon.kill("SIGCONT");
  }
  await expect.poll(() => outage.isAway).toBe(false);
  expect(await client.version()).toMatchObject({ version: here.daemon.version });
});

test("a lease lives as long as asked for, although this machine's clock is two days behind (F19)", async () => {
  await using connected = patientClient();
  const { plain } = connected;
  const days = 2 * 24 * 3_600_000;
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() - days });
  try {
    await using lease = await plain.leases.create({ expireMs: 3_600_000, labels: { a: "1" } });
    await plain.leases.collectGarbage();
    const [kept] = await plain.leases.list([`id==${lease.id}`]);
    const expires = Date.parse(kept?.labels["containerd.io/gc.expire"] ?? "");
    const livesMs = expires - (kept?.createdAt.getTime() ?? 0);
    expect(livesMs).toBeGreaterThan(3_600_000 - 60_000);
    expect(livesMs).toBeLessThan(3_600_000 + 60_000);
    expect(kept?.labels).toMatchObject({ a: "1" });
    // The connection knows the daemon's clock now, so the second lease is right at once.
    await using second = await plain.leases.create({ expireMs: 60_000 });
    expect(second.createdAt.getTime() - Date.now()).toBeGreaterThan(days - 60_000);
  } finally {
    vi.useRealTimers();
  }
});

test("an import whose daemon is killed in its middle leaves nothing, once the daemon is back (F22)", async () => {
  await using connected = patientClient();
  const { plain } = connected;
  const other = plain.with({ namespace: `${plain.namespace}-import` });
  const archive = await busyboxArchive();
  async function* source(): AsyncGenerator<Uint8Array> {
    const half = Math.floor(archive.byteLength / 2);
    yield archive.subarray(0, half);
    await killAndRestart();
    yield archive.subarray(half);
  }
  await expect(other.images.import(source(), { name: "half" })).rejects.toMatchObject({
    kind: "unavailable",
  });
  await restarting;
  const left = async (): Promise<unknown> => {
    const digests: string[] = [];
    for await (const { digest } of other.content.list()) digests.push(digest);
    return [digests, await other.content.listStatuses(), (await other.leases.list()).map(({ id }) => id)];
  };
  await expect.poll(left).toEqual([[], [], []]);
  await other.with({ outage: createOutage() }).images.import(source(), { name: "whole" });
  expect(await other.images.isUnpacked(await other.images.resolve("whole"))).toBe(true);
  await restarting;
  await other.images.remove("whole", { sync: true });
});

test("a pull whose daemon is killed again and again comes to an end, and leaves no lease", async () => {
  await using registry = await startRegistry();
  const layers = [0, 1, 2].map((each) => [{ path: `file-${each}`, contents: randomBytes(1_000_000) }]);
  await putAsBuilt(registry.origin, "app", "1", [await buildImage({ layers, compression: "none" })]);
  const name = `${registry.host}/app:1`;
  let calls = 0;
  let kills = 0;
  await using plain = createClient({
    address: here.daemon.address,
    namespace: here.client.namespace,
    interceptors: [
      (next) => async (request) => {
        if (request.method.name !== "Version" && ++calls % 9 === 0 && kills < 3) {
          kills++;
          await killAndRestart();
        }
        return next(request);
      },
    ],
  });
  const { images } = plain.with({ outage: createOutage() });
  const image = await images.pull(name, { auth: "anonymous" });
  expect(kills).toBe(3);
  expect(await images.isUnpacked(image)).toBe(true);
  expect(await here.client.leases.list()).toEqual([]);
  await restarting;
  await images.remove(name, { sync: true });
});
