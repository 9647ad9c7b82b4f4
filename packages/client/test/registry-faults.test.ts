import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { type Client, createClient, type PullOptions, type TransferProgress } from "@wfe-containerd/client";
import { type Inventory, useDaemon } from "@wfe-containerd/test-infra/daemon";
import { type BuiltImage, buildImage } from "@wfe-containerd/test-infra/images";
import { startRegistry, type TestRegistry } from "@wfe-containerd/test-infra/registry";
import { type FaultProxy, startFaultProxy } from "@wfe-containerd/test-infra/registry/fault-proxy";
import { putAsBuilt } from "@wfe-containerd/test-infra/registry/put-as-built";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { patientClock } from "./patient-clock.js";

const at = useDaemon({ image: false });
const LAYER_BYTES = 8 * 1024 * 1024;
let registry: TestRegistry;
let proxy: FaultProxy;
let image: BuiltImage;
let layer: { digest: string; size: number };
let before: Inventory;
/**
 * Short delays between tries, and a long deadline for a busy machine. The stall limit stays long, because
 * slow does not mean stalled.
 */
const options: PullOptions = {
  auth: "anonymous",
  retry: { firstDelayMs: 10, longestDelayMs: 50, deadlineMs: 60_000 },
};
/** For tests that wait until the pull gives up. */
const soon: PullOptions = { retry: { ...options.retry, deadlineMs: 1_000 }, timeouts: { stallMs: 300 } };

beforeAll(async () => {
  registry = await startRegistry();
  proxy = await startFaultProxy(registry.origin);
  image = await buildImage({
    layers: [[{ path: "data", contents: randomBytes(LAYER_BYTES) }]],
    compression: "none",
  });
  await putAsBuilt(registry.origin, "app", "1", [image]);
  const [blob] = image.layers;
  layer = { digest: blob?.digest ?? "", size: blob?.bytes.byteLength ?? 0 };
});

afterAll(async () => {
  await proxy?.[Symbol.asyncDispose]();
  await registry?.[Symbol.asyncDispose]();
});

beforeEach(async () => {
  before = await at.inventory();
});

afterEach(async () => {
  proxy.reset();
  for (const { name } of await at.client.images.list()) await at.client.images.remove(name, { sync: true });
  await at.client.leases.collectGarbage();
  await at.expectNothingLeft(before);
});

const layerRequest = (): RegExp => new RegExp(`^GET .*/blobs/${layer.digest}`);

async function pull(more: PullOptions = {}, client: Client = at.client): Promise<void> {
  const pulled = await client.images.pull(`${proxy.host}/app:1`, { ...options, ...more });
  expect(await client.images.isUnpacked(pulled)).toBe(true);
}

/** Checks the error, and that nothing is left before another pull or a garbage collection. */
async function expectCleanFailure(pulling: Promise<unknown>, expected: object): Promise<void> {
  await expect(pulling).rejects.toMatchObject(expected);
  expect(await at.client.images.list()).toEqual([]);
  expect(await at.client.content.listStatuses()).toEqual([]);
  expect(await at.client.leases.list()).toEqual([]);
}

describe("fault case 11: a registry that is busy or broken", () => {
  test.each([429, 499, 500, 503, 507, 522, 599])(
    "is asked again after a %d, and each time this is told",
    async (status) => {
      const { clock, slept } = patientClock();
      const told: TransferProgress[] = [];
      proxy.on(/(?:HEAD|GET) .*\/manifests\/1/, (count) =>
        count < 2 ? { kind: "answer", status } : undefined,
      );
      proxy.on(layerRequest(), (count) => (count < 3 ? { kind: "answer", status } : undefined));
      await pull({
        clock,
        onProgress: (progress) => {
          if (progress.state === "retrying") told.push(progress);
        },
      });
      // After a failed HEAD, GET follows without a wait. After 429 (too many requests) we wait and try again
      // instead.
      const manifestRetries = status === 429 ? 2 : 1;
      const name = `${proxy.host}/app:1`;
      expect(told.map(({ what, retry }) => [what, retry?.failures])).toEqual([
        ...[1, 2].slice(0, manifestRetries).map((failures) => [name, failures]),
        ...[1, 2, 3].map((failures) => [layer.digest, failures]),
      ]);
      expect(told.map(({ retry }) => retry?.delayMs)).toEqual(slept);
      expect(told.at(-1)).toMatchObject({
        total: layer.size,
        retry: { reason: expect.stringContaining(`answers ${status}`) },
      });
    },
  );

  test.each([405, 500, 503])("that answers each HEAD with %d is asked by GET, at once", async (status) => {
    const { clock, slept } = patientClock();
    proxy.on(/^HEAD /, { kind: "answer", status });
    await pull({ clock });
    expect(slept).toEqual([]);
  });

  test("that answers HEAD with a wish to be left alone is left alone", async () => {
    const { clock, slept } = patientClock();
    proxy.on(/^HEAD /, (count) =>
      count < 1 ? { kind: "answer", status: 503, headers: { "retry-after": "1" } } : undefined,
    );
    await pull({ clock, retry: { deadlineMs: 60_000 } });
    expect(slept).toEqual([1_000]);
    expect(proxy.requests[1]).toMatchObject({ method: "HEAD" });
  });

  test("on this machine, where nobody listens, is told of at once", async () => {
    const gone = await startFaultProxy();
    await gone[Symbol.asyncDispose]();
    const { clock, slept } = patientClock();
    for (const host of [gone.host, gone.host.replace("127.0.0.1", "localhost")]) {
      const pulling = at.client.images.pull(`${host}/app:1`, { ...options, retry: {}, clock });
      await expectCleanFailure(pulling, {
        kind: "unavailable",
        message: expect.stringMatching(/nothing listens on this port/),
      });
    }
    expect(slept).toEqual([]);
  });

  test("that does not have the image says which, and what to do", async () => {
    const pulling = at.client.images.pull(`${proxy.host}/app:no-such-tag`, options);
    await expectCleanFailure(pulling, {
      kind: "not-found",
      message: expect.stringMatching(
        `the registry ${proxy.host} does not have the image ${proxy.host}/app:no-such-tag; check its name and tag.*answers 404`,
      ),
    });
  });

  test("says when to come back, in seconds or as a date, and is not asked before", async () => {
    const { clock, slept } = patientClock();
    const date = new Date(Math.ceil(Date.now() / 1000) * 1000 + 30_000).toUTCString();
    proxy.on(layerRequest(), (count) => {
      const said = ["7", date][count];
      return said === undefined
        ? undefined
        : { kind: "answer", status: 429 + 74 * count, headers: { "retry-after": said } };
    });
    await pull({ clock, retry: { deadlineMs: 60_000 } });
    expect(slept[0]).toBe(7_000);
    expect(slept[1]).toBeGreaterThan(15_000);
    expect(slept[1]).toBeLessThanOrEqual(31_000);
  });

  test("is given up when it asks for more patience than there is", async () => {
    const { clock, slept } = patientClock();
    proxy.on(layerRequest(), { kind: "answer", status: 429, headers: { "retry-after": "3600" } });
    await expectCleanFailure(pull({ clock, retry: { deadlineMs: 60_000 } }), {
      kind: "resource-exhausted",
      message: expect.stringMatching(/429.*asks to wait 3600 s/),
    });
    expect(slept).toEqual([]);
  });

  test("is given up at the deadline", async () => {
    const { clock, slept } = patientClock();
    proxy.on(layerRequest(), { kind: "answer", status: 503 });
    await expectCleanFailure(
      pull({ clock, retry: { firstDelayMs: 100, longestDelayMs: 1_000, deadlineMs: 10_000 } }),
      {
        kind: "unavailable",
        message: expect.stringContaining("given up after"),
      },
    );
    const total = slept.reduce((sum, ms) => sum + ms, 0);
    expect(total).toBeGreaterThan(8_000);
    expect(total).toBeLessThanOrEqual(10_000);
    expect(slept.every((ms) => ms <= 1_000)).toBe(true);
  });

  test.each([
    [401, "unauthenticated"],
    [403, "permission-denied"],
    [404, "not-found"],
    [400, "failed-precondition"],
    [501, "not-implemented"],
  ])("that answers %d is not asked again", async (status, kind) => {
    proxy.on(layerRequest(), { kind: "answer", status });
    await expectCleanFailure(pull(), { kind });
    expect(proxy.requests.filter(({ path }) => path.includes(layer.digest))).toHaveLength(1);
  });

  test("may be gone for a while", async () => {
    let restarted: Promise<void> | undefined;
    proxy.on(layerRequest(), (count) => {
      if (count > 0) return undefined;
      restarted = registry.kill().then(() => registry.restart());
      return { kind: "cut", afterBytes: 100 };
    });
    await pull();
    await restarted;
  });
});

describe("fault case 12: a body that is cut", () => {
  const ranges = (): (string | undefined)[] =>
    proxy.requests.filter(({ path }) => path.includes(layer.digest)).map(({ headers }) => headers["range"]);

  test("is gone on with where the daemon has it, by Range", async () => {
    proxy.on(layerRequest(), (count) => (count < 5 ? { kind: "cut", afterBytes: 1_000_000 } : undefined));
    await pull();
    const starts = ranges().map((range) => Number(/^bytes=(\d+)-$/.exec(range ?? "bytes=0-")?.[1]));
    expect(starts).toHaveLength(6);
    // Bytes on their way may be lost when the connection is cut, but only a few.
    for (const [at, start] of starts.entries()) {
      expect(start).toBeGreaterThan(at * 1_000_000 - 1_000_000);
      expect(start).toBeLessThanOrEqual(at * 1_000_000);
    }
    expect(proxy.bytesOut).toBeLessThan(layer.size + 1_000_000);
  });

  test("is skipped through where the registry does not know ranges", async () => {
    proxy.on(layerRequest(), (count) =>
      count === 0
        ? { kind: "cut", afterBytes: 3_000_000 }
        : { kind: "answer", status: 200, body: image.layers[0]?.bytes ?? "" },
    );
    await pull();
    expect(ranges()).toEqual([undefined, expect.stringMatching(/^bytes=2[5-9]\d{5}-|bytes=3000000-$/)]);
  });

  test("is gone on with by another process, too", async () => {
    const ref = `layer-${layer.digest}`;
    const bytes = image.layers[0]?.bytes.subarray(0, 5_000_000) ?? new Uint8Array();
    const writer = await at.client.content.openWriter({ ref, digest: layer.digest, size: layer.size });
    await writer.write(bytes);
    await writer[Symbol.asyncDispose]();
    await pull();
    expect(ranges()).toEqual(["bytes=5000000-"]);
  });

  test("counts as progress: the deadline begins anew", async () => {
    const tenth = Math.ceil(LAYER_BYTES / 10);
    proxy.on(layerRequest(), (count) => (count < 10 ? { kind: "cut", afterBytes: tenth } : undefined));
    const { clock } = patientClock();
    await pull({ clock, retry: { firstDelayMs: 50, longestDelayMs: 50, deadlineMs: 100 } });
  });

  test("does not count when hardly anything comes", async () => {
    const { clock, slept } = patientClock();
    proxy.on(layerRequest(), { kind: "cut", afterBytes: 1 });
    await expectCleanFailure(pull({ clock, retry: { longestDelayMs: 1_000, deadlineMs: 20_000 } }), {
      kind: "unavailable",
    });
    expect(slept.reduce((sum, ms) => sum + ms, 0)).toBeLessThanOrEqual(20_000);
  });

  test("is given up when nothing more comes", async () => {
    proxy.on(layerRequest(), { kind: "cut", afterBytes: 0 });
    await expectCleanFailure(pull(soon), { kind: "unavailable" });
  });
});

describe("fault case 14: a transfer that stalls", () => {
  test("is noticed and gone on with", async () => {
    proxy.on(layerRequest(), (count) => (count < 2 ? { kind: "stall", afterBytes: 1_000_000 } : undefined));
    await pull({ timeouts: { stallMs: 2_000 } });
    expect(proxy.requests.at(-1)?.headers["range"]).toMatch(/^bytes=(?:1[5-9]\d{5}|2000000)-$/);
  });

  test("is given up when it never moves", async () => {
    proxy.on(layerRequest(), { kind: "stall", afterBytes: 0 });
    await expectCleanFailure(pull(soon), {
      kind: "unavailable",
      message: expect.stringContaining("stalled"),
    });
  });

  test("is not one that waits for somebody else's lock", async () => {
    const writer = await at.client.content.openWriter({ ref: `layer-${layer.digest}`, size: layer.size });
    const heldSince = performance.now();
    // Longer than the stall limit, and longer than the time after which we try to open an idle ingest.
    const released = delay(4_000).then(() => writer[Symbol.asyncDispose]());
    await pull({ timeouts: { stallMs: 2_000 } });
    expect(performance.now() - heldSince).toBeGreaterThan(3_900);
    await released;
  });
});

describe("fault case 13: bytes that are not what they should be", () => {
  test.each(["layer", "config", "manifest"] as const)(
    "in the %s: nothing of it is unpacked or named",
    async (part) => {
      const { digest } = part === "layer" ? layer : image[part];
      proxy.on(new RegExp(`^GET .*${digest}`), { kind: "flip", atByte: 20 });
      await expectCleanFailure(pull(), { kind: "data-loss", message: expect.stringContaining(digest) });
      const found: string[] = [];
      for await (const snapshot of at.client.snapshots.list()) found.push(snapshot.name);
      expect(found).toEqual([]);
      await expect(at.client.content.info(digest)).rejects.toMatchObject({ kind: "not-found" });
    },
  );

  test.each([
    ["more", 1],
    ["fewer", -1],
  ])("%s of them than the manifest says", async (_, difference) => {
    const bytes = Buffer.concat([image.layers[0]?.bytes ?? new Uint8Array(), Buffer.alloc(1)]);
    const body = bytes.subarray(0, layer.size + difference);
    proxy.on(layerRequest(), { kind: "answer", status: 200, body });
    await expectCleanFailure(pull(), { kind: "data-loss" });
    // The same without a Content-Length.
    proxy.reset();
    const headers = { "transfer-encoding": "chunked", "content-length": undefined };
    proxy.on(layerRequest(), { kind: "answer", status: 200, body, headers });
    if (difference > 0) await expectCleanFailure(pull(), { kind: "data-loss" });
    // Too few are taken for a cut, and are asked for again.
    else await expectCleanFailure(pull(soon), { kind: "unavailable" });
  });

  test.each(
    (["layer", "config", "manifest"] as const).flatMap(
      (part) =>
        [
          [part, 1_000],
          [part, -100],
        ] as const,
    ),
  )("though the answer says of the %s that it has %d bytes more", async (part, difference) => {
    const { digest } = part === "layer" ? layer : image[part];
    const size = part === "layer" ? layer.size : image[part].bytes.byteLength;
    const lie = { kind: "headers", headers: { "content-length": String(size + difference) } } as const;
    proxy.on(new RegExp(`^GET .*${digest}`), lie);
    await expectCleanFailure(pull(), { kind: "data-loss", message: expect.stringContaining(digest) });
  });

  test("though the registry says of a tag or digest that its manifest has another size", async () => {
    for (const reference of ["app:1", `app@${image.manifest.digest}`]) {
      for (const difference of [1_000, -100]) {
        proxy.reset();
        const said = String(image.manifest.bytes.byteLength + difference);
        proxy.on(/^HEAD .*manifests/, { kind: "headers", headers: { "content-length": said } });
        const pulling = at.client.images.pull(`${proxy.host}/${reference}`, options);
        await expectCleanFailure(pulling, {
          kind: "data-loss",
          message: expect.stringContaining(image.manifest.digest),
        });
      }
    }
  });

  test("of another range than was asked for", async () => {
    proxy.on(layerRequest(), (count) =>
      count === 0
        ? { kind: "cut", afterBytes: 1_000_000 }
        : {
            kind: "answer",
            status: 206,
            headers: { "content-range": `bytes 999999-${layer.size - 1}/${layer.size}` },
            body: image.layers[0]?.bytes.subarray(999_999) ?? "",
          },
    );
    await expectCleanFailure(pull(), { kind: "data-loss" });
  });

  test("left by an earlier attempt: begun anew, once", async () => {
    const writer = await at.client.content.openWriter({ ref: `layer-${layer.digest}`, size: layer.size });
    await writer.write(randomBytes(4_000_000));
    await writer[Symbol.asyncDispose]();
    await pull();
    const asked = proxy.requests.filter(({ path }) => path.includes(layer.digest));
    expect(asked.map(({ headers }) => headers["range"])).toEqual(["bytes=4000000-", undefined]);
  });
});

describe("fault case 15: two that pull one image at once", () => {
  test("download it once", async () => {
    await using other = createClient({ address: at.daemon.address, namespace: at.client.namespace });
    let second: Promise<void> | undefined;
    let isWaiting = (): void => undefined;
    const waiting = new Promise<void>((resolve) => {
      isWaiting = resolve;
    });
    proxy.on(layerRequest(), (count) => (count === 0 ? { kind: "hold", until: waiting } : undefined));
    await pull({
      onProgress({ what, state }) {
        if (what !== layer.digest || state !== "fetching") return;
        second ??= pull(
          {
            onProgress(theirs) {
              if (theirs.what === layer.digest && theirs.state === "waiting") isWaiting();
            },
          },
          other,
        );
      },
    });
    await second;
    const asked = proxy.requests.filter(({ path }) => path.includes(layer.digest));
    expect(asked).toHaveLength(1);
  });

  test("do not depend on each other: one gives up, the other brings it", async () => {
    await using other = createClient({ address: at.daemon.address, namespace: at.client.namespace });
    const aborting = new AbortController();
    proxy.on(layerRequest(), (count) => (count === 0 ? { kind: "stall", afterBytes: 1_000_000 } : undefined));
    let second: Promise<void> | undefined;
    const first = pull({
      signal: aborting.signal,
      onProgress({ what, state }) {
        if (what !== layer.digest || state !== "fetching") return;
        second ??= pull(
          {
            onProgress(theirs) {
              if (theirs.what === layer.digest && theirs.state === "waiting" && theirs.offset > 0)
                aborting.abort();
            },
          },
          other,
        );
      },
    });
    await expect(first).rejects.toMatchObject({ kind: "canceled" });
    await second;
  });
});

describe("fault case 16: a pull that is aborted", () => {
  test.each([
    ["while it resolves", /HEAD .*manifests/],
    ["while it fetches the manifest", /GET .*manifests/],
    ["while it fetches a layer", undefined],
  ])("%s leaves no ingest, no lease and no image", async (_, match) => {
    const aborting = new AbortController();
    let stalled = (): void => undefined;
    proxy.on(match ?? layerRequest(), () => {
      // At this time the answer has begun, and has stalled.
      setTimeout(() => stalled(), 50);
      return { kind: "stall", afterBytes: match === undefined ? 2_000_000 : 0 };
    });
    stalled = () => aborting.abort();
    await expectCleanFailure(pull({ signal: aborting.signal }), {
      kind: "canceled",
    });
  });

  test("at any moment leaves nothing", async () => {
    for (let delayMs = 0; delayMs < 240; delayMs += 8) {
      const outcome = await at.client.images
        .pull(`${proxy.host}/app:1`, { ...options, signal: AbortSignal.timeout(delayMs) })
        .then(
          () => "pulled",
          (reason) => reason.kind,
        );
      expect(["pulled", "canceled"]).toContain(outcome);
      expect(await at.client.content.listStatuses()).toEqual([]);
      expect(await at.client.leases.list()).toEqual([]);
      for (const { name } of await at.client.images.list())
        await at.client.images.remove(name, { sync: true });
    }
  });

  test("after its own time-out says so", async () => {
    proxy.on(layerRequest(), { kind: "stall", afterBytes: 0 });
    await expectCleanFailure(pull({ timeoutMs: 200 }), {
      kind: "deadline-exceeded",
    });
  });
});

test("an image that is deleted as soon as it is here stays as long as the caller's lease", async () => {
  await using lease = await at.client.leases.create();
  const leased = at.client.with({ leaseId: lease.id });
  for (const round of ["pulled", "found"]) {
    const { chainId } = await leased.images.pull(`${proxy.host}/app:1`, {
      ...options,
      policy: "if-not-present",
    });
    if (round === "pulled") continue;
    await at.client.images.remove(`${proxy.host}/app:1`, { sync: true });
    await leased.snapshots.prepare("container", chainId);
    await leased.snapshots.remove("container");
  }
  await using second = await at.client.leases.create();
  await pull();
  const found = await at.client
    .with({ leaseId: second.id })
    .images.pull(`${proxy.host}/app:1`, { ...options, policy: "if-not-present" });
  await lease.delete({ sync: true });
  await at.client.images.remove(`${proxy.host}/app:1`, { sync: true });
  expect(await at.client.images.isUnpacked(found)).toBe(true);
});
