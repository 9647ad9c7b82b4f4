import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { type Client, createClient, isContainerdError } from "@wfe-containerd/client";
import { once, useDaemon } from "@wfe-containerd/test-infra/daemon";
import { toBlob } from "@wfe-containerd/test-infra/images";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { all } from "./archive.js";

const at = useDaemon();

async function exists(asked: Promise<unknown>): Promise<boolean> {
  return asked.then(
    () => true,
    (reason: unknown) => {
      if (isContainerdError(reason, "not-found")) return false;
      throw reason;
    },
  );
}

async function busyboxChain({ images }: Client): Promise<string> {
  return (await images.resolve("busybox")).chainId;
}

describe("leases", () => {
  test("hold what is created under them, until they are deleted", async () => {
    const { client } = at;
    const lease = await client.leases.create({ id: "holder", labels: { for: "test" } });
    expect(lease).toMatchObject({ id: "holder", labels: { for: "test" } });
    expect(Math.abs(lease.createdAt.getTime() - Date.now())).toBeLessThan(60_000);
    const leased = client.with({ leaseId: lease.id });
    await leased.snapshots.prepare("held", await busyboxChain(client));
    const blob = toBlob(Buffer.from("held"));
    await leased.content.write({ ref: "held", digest: blob.digest }, once(blob.bytes));
    await client.leases.collectGarbage();
    expect(await client.snapshots.stat("held")).toMatchObject({ kind: "active" });
    expect(await client.content.info(blob.digest)).toMatchObject({ size: 4 });
    expect(await client.leases.listResources("holder")).toEqual(
      expect.arrayContaining([
        { type: "content", id: blob.digest },
        { type: "snapshots/overlayfs", id: "held" },
      ]),
    );
    await lease.delete({ sync: true });
    expect(await exists(client.snapshots.stat("held"))).toBe(false);
    expect(await exists(client.content.info(blob.digest))).toBe(false);
    await lease.delete();
  });

  test("are found by their labels, and not created twice", async () => {
    const { client } = at;
    await using lease = await client.leases.create({ labels: { team: "a" } });
    await using other = await client.leases.create({ labels: { team: "b" } });
    expect((await client.leases.list(['labels."team"==a'])).map(({ id }) => id)).toEqual([lease.id]);
    expect((await client.leases.list()).map(({ id }) => id)).toContain(other.id);
    await expect(client.leases.create({ id: lease.id })).rejects.toMatchObject({ kind: "already-exists" });
  });

  test("that have expired hold nothing, at the next collection", async () => {
    const { client } = at;
    const kept = await client.leases.create({ id: "later", expireMs: 3_600_000 });
    const short = await client.leases.create({ id: "short", expireMs: 5_000 });
    const parent = await busyboxChain(client);
    await client.with({ leaseId: kept.id }).snapshots.prepare("stays", parent);
    await client.with({ leaseId: short.id }).snapshots.prepare("goes", parent);
    // containerd sends no event when a lease expires, so we wait for its time.
    await delay(Date.parse(short.labels["containerd.io/gc.expire"] ?? "") - Date.now() + 1);
    await client.leases.collectGarbage();
    expect(await exists(client.snapshots.stat("stays"))).toBe(true);
    expect(await exists(client.snapshots.stat("goes"))).toBe(false);
    expect((await client.leases.list()).map(({ id }) => id)).toEqual(["later"]);
    await kept.delete({ sync: true });
  });

  test("are given resources, and relieved of them", async () => {
    const { client } = at;
    const lease = await client.leases.create();
    const snapshot = { type: "snapshots/overlayfs", id: await busyboxChain(client) };
    await client.leases.addResource(lease.id, snapshot);
    expect(await client.leases.listResources(lease.id)).toEqual([snapshot]);
    await client.leases.deleteResource(lease.id, snapshot);
    expect(await client.leases.listResources(lease.id)).toEqual([]);
    await lease.delete();
    await expect(client.leases.addResource(lease.id, snapshot)).rejects.toMatchObject({ kind: "not-found" });
  });
});

describe("content", () => {
  let leased: Client;
  beforeEach(async () => {
    const { id } = await at.client.leases.create();
    leased = at.client.with({ leaseId: id });
  });
  afterEach(() => at.client.leases.delete(leased.leaseId ?? "", { sync: true }));

  const size = 5 * 1024 * 1024;
  /**
   * A new blob for each test. A deleted blob may stay in the store for a while, and would be taken from
   * there.
   */
  function freshBlob(): { bytes: Uint8Array; digest: string } {
    return toBlob(Buffer.alloc(size, `${randomUUID()} content `));
  }

  test("is written, read in whole and in part, labelled, listed and deleted", async () => {
    const { bytes, digest } = freshBlob();
    const { content } = leased;
    const offsets: number[] = [];
    const written = await content.write(
      {
        ref: "whole",
        size: size,
        digest,
        labels: { a: "1", b: "2" },
        onProgress: (index) => offsets.push(index),
      },
      once(bytes),
    );
    expect(written).toEqual({ digest, size: size });
    expect(offsets.at(-1)).toBe(size);
    expect(Buffer.compare(bytes, await content.readAll(digest, { maxBytes: size }))).toBe(0);
    expect(Buffer.concat(await all(content.read(digest, { offset: 37, size: 7 }))).toString()).toBe(
      "content",
    );
    await expect(content.readAll(digest, { maxBytes: 1024 })).rejects.toMatchObject({ kind: "out-of-range" });
    await content.setLabels(digest, { b: "", c: "3" });
    const [info] = await all(content.list([`digest==${digest}`]));
    expect(info).toMatchObject({ digest, size: size, labels: { a: "1", c: "3" } });
    expect(info?.labels).not.toHaveProperty("b");
    // A blob that is already stored is not sent again, and is not an error.
    expect(await content.write({ ref: "again", digest, size: size }, never())).toEqual(written);
    await content.delete(digest);
    await expect(content.info(digest)).rejects.toMatchObject({ kind: "not-found" });
    await expect(all(content.read(digest))).rejects.toMatchObject({ kind: "not-found" });
  });

  test("that was written half-way is resumed where it stands", async () => {
    const { bytes, digest } = freshBlob();
    const { content } = leased;
    const half = size / 2;
    async function* cut(): AsyncGenerator<Uint8Array> {
      yield bytes.subarray(0, half);
      throw new Error("the cable");
    }
    await expect(content.write({ ref: "resumed", digest }, cut())).rejects.toThrow("the cable");
    expect(await content.status("resumed")).toMatchObject({ ref: "resumed", offset: half });
    expect((await content.listStatuses()).map(({ ref }) => ref)).toEqual(["resumed"]);
    const asked: number[] = [];
    await content.write({ ref: "resumed", digest }, (offset) => {
      asked.push(offset);
      return once(bytes.subarray(offset));
    });
    expect(asked).toEqual([half]);
    expect((await content.info(digest)).size).toBe(size);
    await content.delete(digest);
  });

  test("that was written half-way is begun anew when its source cannot go on", async () => {
    const { bytes, digest } = freshBlob();
    const { content } = leased;
    {
      await using writer = await content.openWriter({ ref: "anew" });
      await writer.write(Buffer.from("something else"));
    }
    await content.write({ ref: "anew", digest }, once(bytes));
    await content.delete(digest);
  });

  test("that another namespace has is taken from there", async () => {
    const { bytes, digest } = freshBlob();
    await leased.content.write({ ref: "here", digest }, once(bytes));
    const elsewhere = leased.with({ namespace: "other" });
    const lease = await elsewhere.leases.create();
    const other = elsewhere.with({ leaseId: lease.id });
    for (const known of [{ size }, {}]) {
      await other.content.write({ ref: "there", digest, ...known }, never());
      expect(await other.content.info(digest)).toMatchObject({ size });
      await other.content.delete(digest);
    }
    await lease.delete({ sync: true });
    await leased.namespaces.delete("other");
  });

  test("of which two write the same ingest is written once, and both have it", async () => {
    const { bytes, digest } = freshBlob();
    const { content } = leased;
    const write = () => content.write({ ref: "shared", digest }, (offset) => once(bytes.subarray(offset)));
    expect(await Promise.all([write(), write(), write()])).toEqual(
      Array.from({ length: 3 }, () => ({ digest, size: size })),
    );
    expect(await content.listStatuses()).toEqual([]);
    await content.delete(digest);
  });

  test("of another digest or size is refused, and its ingest gone", async () => {
    const { bytes } = freshBlob();
    const { content } = leased;
    const wrong = { ref: "wrong", digest: `sha256:${"0".repeat(64)}` };
    await expect(content.write(wrong, once(bytes))).rejects.toMatchObject({ kind: "failed-precondition" });
    await expect(content.write({ ref: "wrong", size: size + 1 }, once(bytes))).rejects.toMatchObject({
      kind: "failed-precondition",
    });
    expect(await content.listStatuses()).toEqual([]);
  });

  test("whose writing is aborted leaves its ingest, to be resumed or given up", async () => {
    const { bytes } = freshBlob();
    const { content } = leased;
    const controller = new AbortController();
    async function* source(): AsyncGenerator<Uint8Array> {
      yield bytes.subarray(0, 1024);
      controller.abort();
      yield bytes.subarray(1024);
    }
    await expect(
      content.write({ ref: "aborted", signal: controller.signal }, source()),
    ).rejects.toMatchObject({ kind: "canceled" });
    expect(await content.status("aborted")).toMatchObject({ offset: 1024 });
    await content.abort("aborted");
    await expect(content.status("aborted")).rejects.toMatchObject({ kind: "not-found" });
    await expect(content.abort("aborted")).rejects.toMatchObject({ kind: "not-found" });
  });

  test("that nobody reads to its end is not read on", async () => {
    const { bytes, digest } = freshBlob();
    const { content } = leased;
    await content.write({ ref: "left", digest }, once(bytes));
    for await (const chunk of content.read(digest)) {
      expect(chunk.byteLength).toBeGreaterThan(0);
      break;
    }
    const reading = all(content.read(digest, { signal: AbortSignal.abort() }));
    await expect(reading).rejects.toMatchObject({ kind: "canceled" });
    await content.delete(digest);
  });
});

// biome-ignore lint/correctness/useYield: it must not be asked for anything.
async function* never(): AsyncGenerator<Uint8Array> {
  throw new Error("asked for bytes that are there");
}

describe("snapshots", () => {
  test("are prepared, committed, measured, labelled and removed", async () => {
    const { client } = at;
    await using lease = await client.leases.create();
    const { snapshots } = client.with({ leaseId: lease.id });
    const parent = await busyboxChain(client);
    const [mount] = await snapshots.prepare("one", parent, { labels: { a: "1" } });
    expect(mount).toMatchObject({ type: "overlay" });
    expect(await snapshots.mounts("one")).toEqual([mount]);
    expect(await snapshots.stat("one")).toMatchObject({ parent, kind: "active", labels: { a: "1" } });
    await expect(snapshots.prepare("one", parent)).rejects.toMatchObject({ kind: "already-exists" });
    await expect(snapshots.prepare("two", "absent")).rejects.toMatchObject({ kind: "not-found" });
    await snapshots.commit("layer", "one");
    expect(await snapshots.stat("layer")).toMatchObject({ kind: "committed" });
    expect((await snapshots.usage("layer")).inodes).toBeGreaterThan(0);
    await snapshots.view("seen", "layer");
    expect(await snapshots.stat("seen")).toMatchObject({ kind: "view", parent: "layer" });
    await expect(snapshots.remove("layer")).rejects.toMatchObject({ kind: "failed-precondition" });
    await snapshots.setLabels("seen", { b: "2" });
    const views = await all(snapshots.list(["kind==view"]));
    expect(views.map(({ name, labels }) => [name, labels])).toEqual([["seen", { b: "2" }]]);
    await snapshots.remove("seen");
    await snapshots.remove("layer");
    await expect(snapshots.stat("layer")).rejects.toMatchObject({ kind: "not-found" });
    await expect(snapshots.stat("x", { snapshotter: "absent" })).rejects.toMatchObject({
      name: "ContainerdError",
    });
  });
});

describe("containers", () => {
  test("are records with a spec and labels", async () => {
    const { containers, snapshotter } = at.client;
    const spec = { ociVersion: "1.0.2", process: { args: ["true"], cwd: "/" } };
    const created = await containers.create({
      id: "record",
      image: "busybox",
      spec,
      labels: { a: "1", b: "2" },
    });
    expect(created).toMatchObject({ id: "record", spec, snapshotter, runtimeName: "io.containerd.runc.v2" });
    await containers.setLabels("record", { b: "", c: "3" });
    expect(await containers.get("record")).toMatchObject({
      labels: { a: "1", c: "3" },
      spec,
      image: "busybox",
    });
    expect((await containers.get("record")).labels).not.toHaveProperty("b");
    expect((await containers.list(["labels.c==3"])).map(({ id }) => id)).toEqual(["record"]);
    expect(await containers.list(["labels.c==4"])).toEqual([]);
    await expect(containers.create({ id: "record", spec })).rejects.toMatchObject({ kind: "already-exists" });
    await containers.delete("record");
    await expect(containers.get("record")).rejects.toMatchObject({ kind: "not-found" });
    await expect(containers.delete("record")).rejects.toMatchObject({ kind: "not-found" });
  });
});

test("messages of more than gRPC's usual 4 MiB go both ways", async () => {
  const { containers } = at.client;
  const spec = { ociVersion: "1.0.2", annotations: { large: "x".repeat(5 * 1024 * 1024) } };
  await containers.create({ id: "large", spec });
  expect((await containers.get("large")).spec).toEqual(spec);
  await containers.delete("large");
});

describe("refused before anything is asked", () => {
  // Nobody listens at this address, so a request would fail as `unavailable`.
  const client = createClient({ address: "/nobody/listens/here" });
  const spec = { ociVersion: "1.0.2" };
  const tooLong = { labels: { a: "x".repeat(4096) } };

  test.each<[string, () => unknown]>([
    ["a container id with a slash", () => client.containers.create({ id: "a/b", spec })],
    ["a container id that is too long", () => client.containers.create({ id: "a".repeat(77), spec })],
    ["an empty container id", () => client.containers.create({ id: "", spec })],
    ["a container's labels", () => client.containers.create({ id: "a", spec, ...tooLong })],
    ["a label without a key", () => client.containers.setLabels("a", { "": "x" })],
    ["an exec id", () => client.tasks.exec("a", { execId: "a b", process: {} })],
    ["a lease's id", () => client.leases.create({ id: "a b" })],
    ["a lease's labels", () => client.leases.create(tooLong)],
    ["a snapshot's labels", () => client.snapshots.prepare("a", "", tooLong)],
    ["content's labels", () => client.content.setLabels("a", tooLong.labels)],
    ["a signal", () => client.tasks.kill("a", "SIGNONE")],
    ["a signal's number", () => client.tasks.kill("a", 65)],
    // Other clients may have given existing images any name. A new name must be valid.
    ["a name for an image", () => client.images.pull("Not An Image")],
    ["a namespace with a line break", () => client.with({ namespace: "a\r\nb" })],
    ["a namespace that is empty", () => client.with({ namespace: "" })],
    ["a lease's id with a line break", () => client.with({ leaseId: "a\r\nb" })],
    ["a namespace when connecting", () => createClient({ namespace: "a\nb" })],
  ])("%s", async (_, ask) => {
    await expect(async () => ask()).rejects.toMatchObject({
      name: "ContainerdError",
      kind: "invalid-argument",
      message: expect.stringContaining("allowed:"),
    });
  });
});
