import type { Interceptor } from "@connectrpc/connect";
import { type Client, createClient, type ResolvedImage } from "@wfe-containerd/client";
import { type Inventory, once, useDaemon } from "@wfe-containerd/test-infra/daemon";
import { buildImage, ociArchive } from "@wfe-containerd/test-infra/images";
import { startRegistry, type TestRegistry } from "@wfe-containerd/test-infra/registry";
import { putAsBuilt } from "@wfe-containerd/test-infra/registry/put-as-built";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";

const at = useDaemon({ image: false });
let registry: TestRegistry;
let before: Inventory;
let client: Client;
/** How often the differ was called. */
let applies: number;
/** Decides what happens to a call of the differ. */
let onApply: (apply: Apply) => void;

interface Apply {
  readonly let: () => void;
  readonly fail: () => void;
}

const interceptor: Interceptor = (next) => async (request) => {
  if (request.method.name === "Apply") {
    applies++;
    await new Promise<void>((resolve, reject) => {
      request.signal.addEventListener("abort", () => reject(request.signal.reason as Error));
      onApply({ let: resolve, fail: () => reject(new Error("the differ is broken")) });
    });
  }
  return next(request);
};
const letGo = (apply: Apply): void => apply.let();

beforeAll(async () => {
  registry = await startRegistry();
});
afterAll(() => registry?.[Symbol.asyncDispose]());

beforeEach(async () => {
  before = await at.inventory();
  const { address } = at.daemon;
  client = createClient({ address, namespace: at.client.namespace, interceptors: [interceptor] });
  applies = 0;
  onApply = letGo;
});
afterEach(async () => {
  for (const image of await at.client.images.list()) await at.client.images.remove(image, { sync: true });
  await at.expectNothingLeft(before);
  await client.close();
});

/** Imports an image with this many layers, without unpacking it. */
async function bring(layers: number): Promise<ResolvedImage> {
  const built = await buildImage({
    layers: Array.from({ length: layers }, (_, layer) => [{ path: `file-${layer}`, contents: `${layer}` }]),
  });
  await client.images.import(once(await ociArchive(built)), { name: "app:1", unpack: false });
  return client.images.resolve("app:1");
}

/** Holds the next call. Later calls pass. */
function heldApply(): Promise<Apply> {
  return new Promise((resolve) => {
    onApply = (apply) => {
      onApply = letGo;
      resolve(apply);
    };
  });
}

/** Starts to unpack an image that another caller is unpacking. Returns once it waits for that caller. */
async function wait(
  image: ResolvedImage,
  signal?: AbortSignal,
): Promise<{ readonly unpacked: Promise<void> }> {
  let onLayer = (): void => undefined;
  const reached = new Promise<void>((resolve) => {
    onLayer = resolve;
  });
  const unpacked = client.images.unpack(image, { signal, beforeLayer: async () => onLayer() });
  await reached;
  await new Promise((resolve) => setImmediate(resolve));
  return { unpacked };
}

test("pulls of one image at the same time unpack each of its layers once", async () => {
  const layers = [0, 1, 2].map((each) => [{ path: `file-${each}`, contents: `${each}` }]);
  await putAsBuilt(registry.origin, "app", "1", [await buildImage({ layers })]);
  const pulls = Array.from({ length: 8 }, () =>
    client.images.pull(`${registry.host}/app:1`, { auth: "anonymous" }),
  );
  for (const image of await Promise.all(pulls)) expect(await client.images.isUnpacked(image)).toBe(true);
  expect(applies).toBe(3);
});

test.each([
  ["fails", (apply: { fail: () => void }) => apply.fail()],
  ["is aborted", (_: unknown, aborting: AbortController) => aborting.abort()],
])("when the one that unpacks %s, one that waits does it", async (_, end) => {
  const image = await bring(2);
  const aborting = new AbortController();
  const coming = heldApply();
  const first = client.images.unpack(image, { signal: aborting.signal });
  const apply = await coming;
  const { unpacked } = await wait(image);
  end(apply, aborting);
  await expect(first).rejects.toMatchObject({ operation: expect.stringContaining("unpack layer") });
  await unpacked;
  expect(await client.images.isUnpacked(image)).toBe(true);
  // One call by the first caller, and one for each layer.
  expect(applies).toBe(3);
});

test("one that gives up waiting does not end what it waits for", async () => {
  const image = await bring(1);
  const coming = heldApply();
  const first = client.images.unpack(image);
  const apply = await coming;
  const aborting = new AbortController();
  const { unpacked } = await wait(image, aborting.signal);
  aborting.abort();
  await expect(unpacked).rejects.toMatchObject({ kind: "canceled" });
  apply.let();
  await first;
  expect(applies).toBe(1);
});

test("what another process has unpacked meanwhile is held by the lease of each", async () => {
  const image = await bring(1);
  const [one, other] = [await client.leases.create(), await client.leases.create()];
  const coming = heldApply();
  const slow = client.with({ leaseId: one.id }).images.unpack(image);
  const apply = await coming;
  // A second connection shares no state with the first, just like another process.
  await using stranger = createClient({ address: at.daemon.address, namespace: at.client.namespace });
  await stranger.with({ leaseId: other.id }).images.unpack(image);
  apply.let();
  await slow;
  await client.images.remove("app:1", { sync: true });
  await other.delete({ sync: true });
  expect((await client.snapshots.stat(image.chainId)).kind).toBe("committed");
  await one.delete({ sync: true });
});

test("what was shared is held by the lease of each", async () => {
  const image = await bring(2);
  const [one, other] = [await client.leases.create(), await client.leases.create()];
  await Promise.all([one, other].map(({ id }) => client.with({ leaseId: id }).images.unpack(image)));
  expect(applies).toBe(2);
  await client.images.remove("app:1", { sync: true });
  await one.delete({ sync: true });
  expect((await client.snapshots.stat(image.chainId)).kind).toBe("committed");
  await other.delete({ sync: true });
  await expect(client.snapshots.stat(image.chainId)).rejects.toMatchObject({ kind: "not-found" });
});
