import * as zlib from "node:zlib";
import { gzipSync } from "node:zlib";
import { once, takeInventory, useDaemon } from "@wfe-containerd/test-infra/daemon";
import {
  type BuiltImage,
  buildImage,
  dockerArchive,
  ociArchive,
  toBlob,
} from "@wfe-containerd/test-infra/images";
import { rawTarEntry } from "@wfe-containerd/test-infra/images/raw-tar";
import { skippableFrame, zstdFrames } from "@wfe-containerd/test-infra/images/zstd-frames";
import { beforeAll, describe, expect, test } from "vitest";
import {
  blobPath,
  changeManifest,
  changeRootfs,
  indexOf,
  layoutEntries,
  type RawEntry,
  tarOf,
} from "./archive.js";

const here = useDaemon({ image: false });
const name = "docker.io/library/small:1";
let image: BuiltImage;
let other: BuiltImage;

beforeAll(async () => {
  image = await buildImage({
    layers: [[{ path: "a", contents: "one" }], [{ path: "b", contents: "two" }]],
    config: { Cmd: ["/a"] },
  });
  other = await buildImage({ layers: [[{ path: "c", contents: "three" }]] });
});

/** Everything that the daemon stores: images, content and snapshots. */
const everything = () => takeInventory({ daemon: here.daemon, client: here.client, images: true });

async function importAndRemove(archive: Uint8Array, options?: { name?: string }): Promise<string[]> {
  const { client } = here;
  const images = await client.images.import(once(archive), options);
  for (const each of images) {
    const resolved = await client.images.resolve(each.name);
    expect(await client.images.isUnpacked(resolved)).toBe(true);
    await client.images.remove(each.name, { sync: true });
  }
  return images.map((each) => each.name);
}

/** Undefined before Node 22.15. */
const { zstdCompressSync } = zlib as { zstdCompressSync?: (bytes: Uint8Array) => Buffer };

describe("archives", () => {
  test("of docker save come in under each of their tags", async () => {
    const archive = await dockerArchive(image, ["small:1", "registry.example.com/small:2"]);
    expect(await importAndRemove(archive)).toEqual([name, "registry.example.com/small:2"]);
  });

  test("of docker save with layers that are links, as older ones write them", async () => {
    const [first, second] = image.layers;
    const hex = (digest: string | undefined): string => digest?.slice("sha256:".length) ?? "";
    const config = `${hex(image.config.digest)}.json`;
    const entries: RawEntry[] = [
      { name: "one/layer.tar", body: first?.bytes },
      { name: "two/layer.tar", type: "symlink", linkname: "../one/layer.tar" },
      { name: "three/layer.tar", body: second?.bytes },
      { name: config, body: image.config.bytes },
      {
        name: "manifest.json",
        body: JSON.stringify([
          { Config: config, RepoTags: ["small:1"], Layers: ["two/layer.tar", "three/layer.tar"] },
        ]),
      },
    ];
    expect(await importAndRemove(await tarOf(entries))).toEqual([name]);
  });

  test("that are compressed as a whole", async () => {
    expect(await importAndRemove(gzipSync(await ociArchive(image, name)))).toEqual([name]);
  });

  test("in any order, with a name of our choice", async () => {
    const entries = layoutEntries(image).toReversed();
    expect(await importAndRemove(await tarOf(entries), { name: "small:1" })).toEqual([name]);
  });

  test.each<[string, () => Promise<Uint8Array[]>]>([
    ["a second archive", async () => [await ociArchive(other, "docker.io/library/other:1")]],
    ["garbage", async () => [Buffer.alloc(3000, "x")]],
    ["a newline", async () => [Buffer.from("\n")]],
  ])("end where a tar ends, before %s", async (_, behind) => {
    const archive = Buffer.concat([await ociArchive(image, name), ...(await behind())]);
    expect(await importAndRemove(archive)).toEqual([name]);
    expect(await importAndRemove(gzipSync(archive))).toEqual([name]);
  });

  test("end without the blocks of zeros, and without padding", async () => {
    const entries = layoutEntries(image, name).map(({ name: path, body = "" }, at, { length }) =>
      rawTarEntry({ name: path, body, isUnpadded: at === length - 1 }),
    );
    expect(await importAndRemove(Buffer.concat(entries))).toEqual([name]);
  });

  test("have a layer in zstd that is known by its bytes, as in docker save", async () => {
    const tar = await tarOf([{ name: "a", body: "one" }]);
    const plain = await buildImage({ layers: [tar], compression: "none" });
    for (const bytes of [
      zstdFrames(tar, 3),
      Buffer.concat([skippableFrame(Buffer.from("x")), zstdFrames(tar, 1)]),
    ]) {
      const archive = await dockerArchive({ ...plain, layers: [toBlob(bytes)] }, ["small:1"]);
      expect(await importAndRemove(archive)).toEqual([name]);
    }
  });

  test("that are compressed as a whole with zstd, in several frames, come in where Node can read them", async () => {
    const frames = zstdFrames(await ociArchive(image, name), 3);
    const skipped = skippableFrame(Buffer.from("x"));
    const importing = importAndRemove(Buffer.concat([skipped, frames, skipped]));
    if (zstdCompressSync !== undefined) expect(await importing).toEqual([name]);
    else await expect(importing).rejects.toMatchObject({ kind: "not-implemented" });
  });

  test("whose layers are not compressed", async () => {
    const plain = await buildImage({ layers: [[{ path: "a", contents: "one" }]], compression: "none" });
    expect(await importAndRemove(await ociArchive(plain, name))).toEqual([name]);
  });

  test("that come in pieces of any size", async () => {
    const archive = await ociArchive(image, name);
    async function* pieces(): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < archive.length; at += 7) yield archive.subarray(at, at + 7);
    }
    const before = await everything();
    await here.client.images.import(pieces());
    await here.client.images.remove(name, { sync: true });
    expect(await everything()).toEqual(before);
  });
});

describe("two imports of the same image at once", () => {
  test("both end well, and the image is there once", async () => {
    const { client } = here;
    const archive = await ociArchive(image, name);
    const results = await Promise.all([1, 2, 3, 4].map(() => client.images.import(once(archive))));
    expect(new Set(results.flat().map(({ target }) => target.digest))).toEqual(
      new Set([image.manifest.digest]),
    );
    await client.leases.collectGarbage();
    expect(await client.images.isUnpacked(await client.images.resolve(name))).toBe(true);
    await client.images.remove(name, { sync: true });
  });
});

/** Archives that must be refused, with the error's message. */
const REFUSED: readonly (readonly [string, string | RegExp, () => RawEntry[]])[] = [
  [
    "an absolute path",
    "leads out of the archive",
    () => [{ name: "/etc/passwd", body: "x" }, ...layoutEntries(image, name)],
  ],
  [
    "a path with ..",
    "leads out of the archive",
    () => [...layoutEntries(image, name), { name: "blobs/../../x", body: "x" }],
  ],
  [
    "a blob under another's digest",
    "has the digest",
    () =>
      layoutEntries(image, name).map((entry) =>
        entry.name === blobPath(layerDigest()) ? { ...entry, body: "x" } : entry,
      ),
  ],
  [
    "a missing layer",
    "the archive refers to sha256:",
    () => layoutEntries(image, name).filter((entry) => entry.name !== blobPath(layerDigest())),
  ],
  [
    "a missing config",
    "the archive refers to sha256:",
    () => layoutEntries(image, name).filter((entry) => entry.name !== blobPath(image.config.digest)),
  ],
  [
    "a missing manifest",
    "the archive refers to sha256:",
    () => layoutEntries(image, name).filter((entry) => entry.name !== blobPath(image.manifest.digest)),
  ],
  [
    "a diff ID that is another",
    "unpacks to",
    () => layoutEntries(changeRootfs(image, { diff_ids: [wrong(), wrong()] }), name),
  ],
  [
    "diff IDs that are fewer than layers",
    "has 2 layers",
    () => layoutEntries(changeRootfs(image, { diff_ids: [wrong()] }), name),
  ],
  [
    "a diff ID that is no digest",
    "diff_ids",
    () => layoutEntries(changeRootfs(image, { diff_ids: ["sha256:x", "y"] }), name),
  ],
  [
    "a document that is index and manifest in one",
    "both an index and a manifest",
    () =>
      layoutEntries(
        changeManifest(image, (manifest) => ({ ...manifest, manifests: [] })),
        name,
      ),
  ],
  [
    "a document of another type than its descriptor says",
    "its descriptor says",
    () =>
      layoutEntries(
        changeManifest(image, (manifest) => ({
          ...manifest,
          mediaType: "application/vnd.oci.image.index.v1+json",
        })),
        name,
      ),
  ],
  [
    "a layer of another size than its descriptor says",
    "its descriptor says 7",
    () =>
      layoutEntries(
        changeManifest(image, (manifest) => ({
          ...manifest,
          layers: manifest.layers.map((layer) => ({ ...layer, size: 7 })),
        })),
        name,
      ),
  ],
  [
    "a size that is negative",
    "config.size is -1",
    () =>
      layoutEntries(
        changeManifest(image, (manifest) => ({ ...manifest, config: { ...manifest.config, size: -1 } })),
        name,
      ),
  ],
  [
    "a device",
    "is a character-device",
    () => [...layoutEntries(image, name), { name: "null", type: "character-device" }],
  ],
  ["a FIFO", "is a fifo", () => [...layoutEntries(image, name), { name: "pipe", type: "fifo" }]],
  [
    "a blob twice",
    "occurs twice",
    () => [...layoutEntries(image, name), ...layoutEntries(image, name).slice(1, 2)],
  ],
  [
    "an index twice",
    "occurs twice",
    () => [...layoutEntries(image, name), ...layoutEntries(image, name).slice(-1)],
  ],
  [
    "one name for two images",
    "gives two images the name",
    () => [
      ...layoutEntries(image).slice(0, -1),
      ...layoutEntries(other).slice(1, -1),
      {
        name: "index.json",
        body: indexOf([
          [image.manifest, name],
          [other.manifest, name],
        ]),
      },
    ],
  ],
  ["no name", "gives its image no name", () => layoutEntries(image)],
  ["a name that is none", "image: ", () => layoutEntries(image, "UPPER/CASE:1")],
  [
    "an index that is no JSON",
    "is not JSON",
    () => [...layoutEntries(image).slice(0, -1), { name: "index.json", body: "{" }],
  ],
  [
    "an index that is no index",
    "is not an index",
    () => [...layoutEntries(image).slice(0, -1), { name: "index.json", body: "null" }],
  ],
  [
    "an index that is too large",
    "has 4194305 bytes",
    () => [{ name: "index.json", body: Buffer.alloc(4 * 1024 * 1024 + 1, " ") }],
  ],
  ["no image at all", "contains no image", () => [{ name: "readme", body: "x" }]],
  ["a manifest.json that is no list", "is not a list", () => [{ name: "manifest.json", body: "{}" }]],
  [
    "a manifest.json without layers",
    /manifest\.json: \[0\]/,
    () => [{ name: "manifest.json", body: '[{"Config":"x"}]' }],
  ],
  [
    "a manifest.json that leads nowhere",
    "does not contain it",
    () => [
      { name: "x", type: "symlink", linkname: "../../etc/passwd" },
      { name: "manifest.json", body: '[{"Config":"x","RepoTags":["x"],"Layers":[]}]' },
    ],
  ],
];

function layerDigest(): string {
  return image.layers[1]?.digest ?? "";
}

function wrong(): string {
  return `sha256:${"0".repeat(64)}`;
}

describe("an archive is refused, and leaves nothing, for", () => {
  test.each(REFUSED)("%s", async (_, message, entries) => {
    const before = await everything();
    await expect(here.client.images.import(once(await tarOf(entries())))).rejects.toMatchObject({
      name: "ContainerdError",
      kind: expect.stringMatching(/^(?:invalid-argument|data-loss)$/),
      message: message instanceof RegExp ? expect.stringMatching(message) : expect.stringContaining(message),
    });
    expect(await everything()).toEqual(before);
  });

  test.each([
    ["nothing", new Uint8Array(0)],
    ["no tar", Buffer.alloc(2048, "x")],
    ["half of a gzip stream", gzipSync(Buffer.alloc(4096)).subarray(0, 20)],
  ])("being %s", async (_, bytes) => {
    const before = await everything();
    await expect(here.client.images.import(once(bytes))).rejects.toMatchObject({ kind: "invalid-argument" });
    expect(await everything()).toEqual(before);
  });

  test("being zstd of nothing, or on a Node that cannot read it", async () => {
    const before = await everything();
    const bytes = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0]);
    await expect(here.client.images.import(once(bytes))).rejects.toMatchObject(
      zstdCompressSync === undefined
        ? { kind: "not-implemented", message: expect.stringContaining("Node.js 22.15") }
        : { kind: "invalid-argument" },
    );
    expect(await everything()).toEqual(before);
  });

  test.each([
    ["xz", Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]), "xz -d app.tar.xz"],
    ["bzip2", Buffer.from("BZh91AY"), "bzip2 -d app.tar.bz2"],
  ])("being compressed with %s, with what to do", async (program, bytes, example) => {
    await expect(here.client.images.import(once(bytes))).rejects.toMatchObject({
      kind: "invalid-argument",
      message: `the archive is compressed with ${program}; allowed: no compression, gzip, zstd; decompress it first, for example: ${example}`,
    });
  });

  test("being cut off in the middle of a layer", async () => {
    const archive = await ociArchive(image, name);
    const before = await everything();
    const half = archive.subarray(0, Math.floor(archive.length / 2));
    await expect(here.client.images.import(once(half))).rejects.toMatchObject({
      kind: "invalid-argument",
      message: expect.stringContaining("it was cut off"),
    });
    expect(await everything()).toEqual(before);
  });
});

describe("an import that is aborted", () => {
  test("ends although its source stalls, and leaves nothing", async () => {
    const archive = await ociArchive(image, name);
    const before = await everything();
    const controller = new AbortController();
    async function* stalling(): AsyncGenerator<Uint8Array> {
      yield archive.subarray(0, 4000);
      controller.abort();
      await new Promise(() => undefined);
    }
    await expect(here.client.images.import(stalling(), { signal: controller.signal })).rejects.toMatchObject({
      name: "ContainerdError",
      kind: "canceled",
    });
    expect(await everything()).toEqual(before);
  });

  test("while it unpacks leaves nothing", async () => {
    const archive = await ociArchive(image, name);
    const before = await everything();
    const controller = new AbortController();
    await expect(
      here.client.images.import(once(archive), {
        signal: controller.signal,
        onProgress: ({ state }) => void (state === "unpacked" && controller.abort()),
      }),
    ).rejects.toMatchObject({ kind: "canceled" });
    expect(await everything()).toEqual(before);
  });

  test("before it begins does not read its source", async () => {
    let wasRead = false;
    async function* source(): AsyncGenerator<Uint8Array> {
      wasRead = true;
      yield new Uint8Array(1);
    }
    const importing = here.client.images.import(source(), { signal: AbortSignal.abort() });
    await expect(importing).rejects.toMatchObject({ kind: "canceled" });
    expect(wasRead).toBe(false);
  });
});

test("a source that fails says why", async () => {
  const before = await everything();
  async function* failing(): AsyncGenerator<Uint8Array> {
    yield (await ociArchive(image, name)).subarray(0, 3000);
    throw new Error("the disk is gone");
  }
  await expect(here.client.images.import(failing())).rejects.toThrow("the disk is gone");
  expect(await everything()).toEqual(before);
});
