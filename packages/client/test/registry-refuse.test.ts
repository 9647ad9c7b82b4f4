import { existsSync } from "node:fs";
import { gzipSync } from "node:zlib";
import type { PullOptions } from "@wfe-containerd/client";
import { type Inventory, useDaemon } from "@wfe-containerd/test-infra/daemon";
import { type Blob, type BuiltImage, buildImage, toBlob } from "@wfe-containerd/test-infra/images";
import { type FaultProxy, startFaultProxy } from "@wfe-containerd/test-infra/registry/fault-proxy";
import { pack } from "tar-stream";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";

const at = useDaemon({ image: false });
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const INDEX = "application/vnd.oci.image.index.v1+json";
const DOCKER = "application/vnd.docker.distribution.manifest";
const FOUR_MIB = 4 * 1024 * 1024;

/** A registry that serves any answer. A real registry would have refused these images. */
let registry: FaultProxy;
let image: BuiltImage;
let before: Inventory;

beforeAll(async () => {
  registry = await startFaultProxy();
  image = await buildImage({ layers: [[{ path: "file", contents: "x" }]] });
});
afterAll(() => registry?.[Symbol.asyncDispose]());

beforeEach(async () => {
  registry.reset();
  for (const blob of [image.config, ...image.layers]) serveBlob(blob);
  before = await at.inventory();
});

/** After a refused image nothing has changed. */
afterEach(async () => {
  for (const { name } of await at.client.images.list()) await at.client.images.remove(name, { sync: true });
  await at.client.leases.collectGarbage();
  const left: string[] = [];
  for await (const { digest } of at.client.content.list()) left.push(digest);
  expect(left).toEqual([]);
  await at.expectNothingLeft(before);
});

const literally = (text: string): string => text.replaceAll(/[.+]/g, "\\$&");

function serveBlob({ digest, bytes }: Blob): void {
  registry.on(new RegExp(`/v2/app/blobs/${digest}$`), { kind: "answer", status: 200, body: bytes });
}

function serveManifest(tag: string, blob: Blob, mediaType = MANIFEST): Blob {
  const headers = { "content-type": mediaType, "docker-content-digest": blob.digest };
  for (const name of [literally(tag), blob.digest]) {
    registry.on(new RegExp(`/v2/app/manifests/${name}$`), {
      kind: "answer",
      status: 200,
      headers,
      body: blob.bytes,
    });
  }
  return blob;
}

const manifest = (changes: object = {}): Blob =>
  toBlob({ ...JSON.parse(Buffer.from(image.manifest.bytes).toString()), ...changes });
const describeBlob = ({ digest, bytes }: Blob, mediaType: string) => ({
  mediaType,
  digest,
  size: bytes.byteLength,
});

async function refused(reference: string, expected: object, options: PullOptions = {}): Promise<void> {
  const retry = { firstDelayMs: 10, deadlineMs: 200 };
  const pulling = at.client.images.pull(`${registry.host}/${reference}`, {
    auth: "anonymous",
    retry,
    ...options,
  });
  await expect(pulling).rejects.toMatchObject(expected);
  expect(await at.client.images.list()).toEqual([]);
}

test("what these tests refuse is otherwise a good image", async () => {
  serveManifest("1", manifest());
  await at.client.images.pull(`${registry.host}/app:1`, { auth: "anonymous" });
});

test.each([
  ["https://registry.example.com/app", "scheme"],
  ["docker://registry.example.com/app", "scheme"],
  ["user:canary@registry.example.com/app", "digest"],
  ["https://user:canary@registry.example.com/app", "scheme"],
  ["registry.example.com/App", "upper case"],
  ["app:one:two", "tag"],
  ["app@sha256:beef", "digest"],
  ["app@md5:d41d8cd98f00b204e9800998ecf8427e", "digest"],
  ["../app", "an invalid registry"],
  ["a/../app", "is not an image reference"],
  ["app:1\r\nHost: evil", "tag"],
  ["", "is not an image reference"],
])("bad input 15: the reference %j is refused before anything is asked", async (reference, problem) => {
  const pulling = at.client.images.pull(reference, { auth: "anonymous" });
  await expect(pulling).rejects.toMatchObject({
    kind: "invalid-argument",
    message: expect.stringMatching(new RegExp(`^(?!.*canary).*${problem}`, "s")),
  });
});

test("bad input 15: a tag beside a digest does not decide: the digest does", async () => {
  const other = serveManifest("evil", manifest({ annotations: { evil: "yes" } }));
  const pinned = serveManifest("1", manifest());
  const pulled = await at.client.images.pull(`${registry.host}/app:evil@${pinned.digest}`, {
    auth: "anonymous",
  });
  expect(pulled.target.digest).toBe(pinned.digest);
  expect(registry.requests.some(({ path }) => path.includes("evil") || path.includes(other.digest))).toBe(
    false,
  );
});

test.each([
  "md5:d41d8cd98f00b204e9800998ecf8427e",
  "sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709",
  "sha256:ABC",
  "../../etc/passwd",
])("bad input 16: a layer whose digest is %s is refused", async (digest) => {
  const { config, layers } = JSON.parse(Buffer.from(image.manifest.bytes).toString());
  serveManifest("1", manifest({ config, layers: [{ ...layers[0], digest }] }));
  await refused("app:1", { kind: "invalid-argument", message: expect.stringContaining("layers[0].digest") });
});

test("bad input 16: a digest in the registry's answer that is none is refused", async () => {
  const headers = {
    "content-type": MANIFEST,
    "docker-content-digest": "md5:d41d8cd98f00b204e9800998ecf8427e",
  };
  registry.on(/manifests/, { kind: "answer", status: 200, headers, body: manifest().bytes });
  await refused("app:1", { kind: "invalid-argument" });
});

test.each([
  ["the config", "config"],
  ["a layer", "layers"],
])("bad input 16: a size of %s that is not its own is refused", async (_, part) => {
  const { config, layers } = JSON.parse(Buffer.from(image.manifest.bytes).toString());
  for (const difference of [1, -1]) {
    const wrong = (descriptor: { size: number }): object => ({
      ...descriptor,
      size: descriptor.size + difference,
    });
    serveManifest(
      "1",
      manifest(part === "config" ? { config: wrong(config), layers } : { config, layers: layers.map(wrong) }),
    );
    await refused("app:1", { kind: "data-loss" });
  }
});

test("bad input 17: a manifest of more than 4 MiB is refused, told or not, before it is read to its end", async () => {
  const large = manifest({ annotations: { padding: "x".repeat(FOUR_MIB) } });
  serveManifest("1", large);
  await refused("app:1", { kind: "out-of-range", message: expect.stringContaining(`up to ${FOUR_MIB}`) });
  expect(registry.requests.map(({ method }) => method)).toEqual(["HEAD"]);
  registry.reset();
  const headers = { "content-type": MANIFEST, "content-length": undefined, "transfer-encoding": "chunked" };
  registry.on(/manifests/, { kind: "answer", status: 200, headers, body: large.bytes });
  await refused("app:1", { kind: "out-of-range" });
  // The same for a config.
  registry.reset();
  const config = toBlob({
    ...JSON.parse(Buffer.from(image.config.bytes).toString()),
    padding: "x".repeat(FOUR_MIB),
  });
  serveBlob(config);
  serveManifest("1", manifest({ config: describeBlob(config, "application/vnd.oci.image.config.v1+json") }));
  await refused("app:1", { kind: "out-of-range" });
});

test("bad input 17: a document that is both an index and a manifest is refused, whatever it is called", async () => {
  const both = manifest({ mediaType: undefined, manifests: [] });
  for (const mediaType of [MANIFEST, INDEX]) {
    serveManifest("1", both, mediaType);
    await refused("app:1", {
      kind: "invalid-argument",
      message: expect.stringContaining("both an index and a manifest"),
    });
  }
  serveManifest("1", manifest(), INDEX);
  await refused("app:1", { kind: "invalid-argument" });
});

test("bad input 17: an index that lies too deep in indexes is refused", async () => {
  let inner = describeBlob(serveManifest("inner", manifest()), MANIFEST);
  for (let depth = 0; depth < 8; depth++) {
    const index = toBlob({ schemaVersion: 2, mediaType: INDEX, manifests: [inner] });
    serveManifest("1", index, INDEX);
    inner = describeBlob(index, INDEX);
  }
  await refused("app:1", {
    kind: "invalid-argument",
    message: expect.stringContaining("nests its indexes too deeply"),
  });
});

test.each([`${DOCKER}.v1+prettyjws`, `${DOCKER}.v1+json`])(
  "schema 1, as %s, is refused with a word about it",
  async (mediaType) => {
    serveManifest("1", toBlob({ schemaVersion: 1, name: "app", fsLayers: [], history: [] }), mediaType);
    await refused("app:1", { kind: "not-implemented", message: expect.stringContaining("schema 1") });
  },
);

test("schema 1 under another name, and what is no manifest at all, are refused", async () => {
  serveManifest("1", toBlob({ schemaVersion: 1, name: "app", fsLayers: [], history: [] }), MANIFEST);
  await refused("app:1", { kind: "invalid-argument", message: expect.stringContaining("schema 1") });
  serveManifest("1", toBlob({ hello: "world" }), "text/html");
  await refused("app:1", {
    kind: "not-implemented",
    message: `${registry.origin} answers to the request for ${registry.host}/app:1 with the media type "text/html"; allowed: an image manifest or index, of OCI or docker's schema 2; check that it is a registry`,
  });
  serveManifest("1", toBlob(Buffer.from("{")), MANIFEST);
  await refused("app:1", { kind: "invalid-argument" });
});

test("bad input 18: a layer that unpacks to something else than the config says is refused", async () => {
  const config = toBlob({
    os: "linux",
    architecture: image.architecture,
    rootfs: { type: "layers", diff_ids: [`sha256:${"0".repeat(64)}`] },
  });
  serveBlob(config);
  serveManifest("1", manifest({ config: describeBlob(config, "application/vnd.oci.image.config.v1+json") }));
  await refused("app:1", { kind: "data-loss", message: expect.stringContaining("the image's config says") });
});

test("bad input 18: a layer that unpacks to more than may be is refused, while it unpacks or at the latest after", async () => {
  const bomb = await buildImage({
    layers: [[{ path: "zeros", contents: new Uint8Array(64 * 1024 * 1024) }]],
  });
  expect(bomb.layers[0]?.bytes.byteLength).toBeLessThan(100_000);
  for (const blob of [bomb.config, ...bomb.layers]) serveBlob(blob);
  serveManifest("1", bomb.manifest);
  await refused("app:1", { kind: "resource-exhausted" }, { maxUnpackedBytes: 32 * 1024 * 1024 });
  await at.client.images.pull(`${registry.host}/app:1`, {
    auth: "anonymous",
    maxUnpackedBytes: 65 * 1024 * 1024,
  });
});

test("bad input 19: where a foreign layer says it can be had is not asked", async () => {
  await using elsewhere = await startFaultProxy();
  const { config, layers } = JSON.parse(Buffer.from(image.manifest.bytes).toString());
  const urls = [`${elsewhere.origin}/layer`, "file:///etc/passwd"];
  const mediaType = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
  serveManifest("1", manifest({ config, layers: [{ ...layers[0], urls, mediaType }] }));
  await at.client.images.pull(`${registry.host}/app:1`, { auth: "anonymous" });
  expect(elsewhere.requests).toEqual([]);
});

test("bad input 22: what an image says of itself does not become a label of content, snapshots or the image", async () => {
  const said = {
    "containerd.io/gc.root": "now",
    "containerd.io/snapshot/overlay.evil": "yes",
    "io.cri-containerd.x": "y",
  };
  const config = toBlob({
    ...JSON.parse(Buffer.from(image.config.bytes).toString()),
    config: { Labels: said },
  });
  const { layers } = JSON.parse(Buffer.from(image.manifest.bytes).toString());
  serveBlob(config);
  serveManifest(
    "1",
    manifest({
      annotations: said,
      config: { ...describeBlob(config, "application/vnd.oci.image.config.v1+json"), annotations: said },
      layers: layers.map((layer: object) => ({ ...layer, annotations: said })),
    }),
  );
  await at.client.images.pull(`${registry.host}/app:1`, { auth: "anonymous" });
  const keys = new Set<string>();
  for await (const { labels } of at.client.content.list())
    for (const key of Object.keys(labels)) keys.add(key);
  for await (const { labels } of at.client.snapshots.list())
    for (const key of Object.keys(labels)) keys.add(key);
  for (const { labels } of await at.client.images.list())
    for (const key of Object.keys(labels)) keys.add(key);
  expect([...keys].toSorted()).toEqual([
    "containerd.io/distribution.source.127.0.0.1",
    "containerd.io/gc.ref.content.config",
    "containerd.io/gc.ref.content.l.0",
    "containerd.io/gc.ref.snapshot.overlayfs",
    "containerd.io/uncompressed",
  ]);
});

test("bad input 14: a layer that climbs out of the image's root stays in it", async () => {
  const tar = pack();
  tar.entry({ name: "../../../../../../tmp/wfe-escaped" }, "out");
  tar.entry({ name: "/tmp/absolute", type: "symlink", linkname: "/etc" });
  tar.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of tar) chunks.push(chunk as Uint8Array);
  const plain = Buffer.concat(chunks);
  const layer = toBlob(gzipSync(plain));
  const config = toBlob({
    os: "linux",
    architecture: image.architecture,
    rootfs: { type: "layers", diff_ids: [toBlob(plain).digest] },
  });
  for (const blob of [layer, config]) serveBlob(blob);
  serveManifest(
    "1",
    manifest({
      config: describeBlob(config, "application/vnd.oci.image.config.v1+json"),
      layers: [describeBlob(layer, "application/vnd.oci.image.layer.v1.tar+gzip")],
    }),
  );
  const pulled = await at.client.images.pull(`${registry.host}/app:1`, { auth: "anonymous" });
  expect(await at.client.images.isUnpacked(pulled)).toBe(true);
  expect(existsSync("/tmp/wfe-escaped")).toBe(false);
});
