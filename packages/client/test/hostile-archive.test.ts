import { access, stat } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { ImportOptions } from "@wfe-containerd/client";
import { type Inventory, once, takeInventory, useDaemon } from "@wfe-containerd/test-infra/daemon";
import { listTree } from "@wfe-containerd/test-infra/daemon/tree";
import { type BuiltImage, buildImage, ociArchive, toBlob } from "@wfe-containerd/test-infra/images";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { changeManifest, changeRootfs, layoutEntries, type RawEntry, tarOf } from "./archive.js";

const here = useDaemon({ image: false });
const NAME = "docker.io/library/hostile:1";
const MIB = 1024 ** 2;
/** Paths outside every image, on the daemon's machine and this one. No image may write them. */
const OUTSIDE = ["/tmp/wfe-hostile-up", "/tmp/wfe-hostile-absolute", "/tmp/wfe-hostile-link"];
let plain: BuiltImage;
let before: Inventory;

const everything = () => takeInventory({ daemon: here.daemon, client: here.client, images: true });

beforeAll(async () => {
  plain = await buildImage({ layers: [[{ path: "a", contents: "x" }]] });
});
beforeEach(async () => {
  before = await everything();
});

/** The plain image with one layer, which has exactly these entries. */
async function withLayer(entries: readonly RawEntry[]): Promise<BuiltImage> {
  const tar = await tarOf(entries);
  const layer = toBlob(gzipSync(tar));
  const image = changeRootfs(plain, { type: "layers", diff_ids: [toBlob(tar).digest] });
  const { manifest } = changeManifest(image, (old) => ({
    ...old,
    layers: [{ ...old.layers[0], digest: layer.digest, size: layer.bytes.byteLength }],
  }));
  return { ...image, layers: [layer], manifest };
}

async function expectRefused(archive: AsyncIterable<Uint8Array>, expected: object, options?: ImportOptions) {
  await expect(here.client.images.import(archive, options)).rejects.toMatchObject(expected);
  expect(await everything()).toEqual(before);
}

/** Runs a function with the image imported, and removes the image afterwards. */
async function withImported(image: BuiltImage, unpack: boolean, use: () => Promise<void>): Promise<void> {
  const { images } = here.client;
  await images.import(once(await ociArchive(image, NAME)), { unpack });
  try {
    await use();
  } finally {
    await images.remove(NAME, { sync: true });
  }
  expect(await everything()).toEqual(before);
}

describe("bad input 14: an archive", () => {
  test.each<[string, RawEntry]>([
    ["an absolute name", { name: "/etc/cron.d/x", body: "x" }],
    ["a name with ..", { name: "blobs/sha256/../../../x", body: "x" }],
    ["a name that is .. alone", { name: "..", type: "directory" }],
    ["a character device", { name: "null", type: "character-device", devmajor: 1, devminor: 3 }],
    ["a block device", { name: "disk", type: "block-device", devmajor: 8, devminor: 0 }],
    ["a FIFO", { name: "pipe", type: "fifo" }],
  ])("with %s is refused", async (_, entry) => {
    for (const entries of [
      [entry, ...layoutEntries(plain, NAME)],
      [...layoutEntries(plain, NAME), entry],
    ])
      await expectRefused(once(await tarOf(entries)), { kind: "invalid-argument" });
  });

  test.each(["symlink", "link"] as const)("with a %s out of it is given nothing from there", async (type) => {
    const saved = JSON.stringify([{ Config: "config.json", RepoTags: [NAME], Layers: ["layer.tar"] }]);
    for (const linkname of ["/etc/passwd", "../../../../../../etc/passwd"]) {
      const entries = [
        { name: "config.json", type, linkname },
        { name: "layer.tar", body: "x" },
        { name: "manifest.json", body: saved },
      ];
      await expectRefused(once(await tarOf(entries)), {
        kind: "invalid-argument",
        message: expect.stringContaining("the archive does not contain it"),
      });
    }
  });

  test("that unzips to more than it may is refused long before its end", async () => {
    let given = 0;
    const bomb = gzipSync(await tarOf([{ name: "zeros", body: Buffer.alloc(256 * MIB) }]));
    async function* slowly(): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < bomb.byteLength; at += 4096) {
        given = at;
        yield bomb.subarray(at, at + 4096);
      }
    }
    await expectRefused(slowly(), { kind: "resource-exhausted" }, { maxUnpackedBytes: 8 * MIB });
    // Node's streams read up to 64 KiB ahead.
    expect(given).toBeLessThan(bomb.byteLength / 2);
  });

  test("whose header alone is larger than any is refused, and not kept in memory", async () => {
    const header = Buffer.from(await tarOf([{ name: "x", body: "" }])).subarray(0, 512);
    // GNU's long name, with a size of one gigabyte.
    header.write("L", 156);
    header.write("10000000000\0", 124);
    header.fill(" ", 148, 156);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
    let given = 0;
    async function* endless(): AsyncGenerator<Uint8Array> {
      yield header;
      for (; given < 1024 * MIB; given += MIB) yield Buffer.alloc(MIB, "x");
    }
    await expectRefused(endless(), { kind: "invalid-argument" });
    expect(given).toBeLessThan(64 * MIB);
  });

  test("that is compressed, and whose source fails, says why", async () => {
    const zipped = gzipSync(await ociArchive(plain, NAME));
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield zipped.subarray(0, 100);
      throw new Error("the disk is gone");
    }
    await expectRefused(failing(), { message: expect.stringContaining("the disk is gone") });
  });
});

test("bad input 14: what a layer says is above its root, or behind a link, is unpacked inside it or not at all", async () => {
  const [up = "", absolute = "", link = ""] = OUTSIDE;
  const image = await withLayer([
    { name: `../../../../../../../..${up}`, body: "out" },
    { name: absolute, body: "out" },
    { name: "door", type: "symlink", linkname: "/tmp" },
    { name: `door${link.slice("/tmp".length)}`, body: "out" },
    { name: "copy", type: "symlink", linkname: "../../../../../../../../etc/passwd" },
  ]);
  await withImported(image, true, async () => {
    for (const path of OUTSIDE) await expect(access(path)).rejects.toMatchObject({ code: "ENOENT" });
  });
});

test("bad input 14: a hard link to the daemon's own files is no link to them", async () => {
  const image = await withLayer([
    { name: "copy", type: "link", linkname: "../../../../../../../../etc/passwd" },
  ]);
  await expectRefused(once(await ociArchive(image, NAME)), { name: "ContainerdError" });
});

test("bad input 14: set-uid bits in an archive are on nothing that the daemon keeps of it", async () => {
  const entries = layoutEntries(plain, NAME).map((entry) => ({ ...entry, mode: 0o6755 }));
  await here.client.images.import(once(await tarOf(entries)));
  const { rootDir } = here.daemon;
  const kept = await listTree(rootDir);
  for (const entry of kept.filter((each) => each.isFile())) {
    const path = join(entry.parentPath, entry.name);
    expect([path, (await stat(path)).mode & 0o6000]).toEqual([path, 0]);
  }
  expect(kept.length).toBeGreaterThan(3);
  await here.client.images.remove(NAME, { sync: true });
  expect(await everything()).toEqual(before);
});

test("bad input 3: files are looked up inside the image's root, whatever its links say", async () => {
  const image = await withLayer([
    { name: "etc/passwd", type: "symlink", linkname: "../../../../../../../../../etc/hostname" },
    { name: "host", type: "symlink", linkname: "/proc/self" },
  ]);
  await withImported(image, true, async () => {
    const paths = ["/etc/passwd", "/host/environ", "/../../etc/hostname"];
    const resolved = await here.client.images.resolve(NAME);
    const found = await here.client.images.readFiles(resolved, paths, { maxBytes: MIB });
    expect([...found]).toEqual([]);
  });
});

test.each<RawEntry>([
  { name: "etc/passwd", type: "character-device", devmajor: 1, devminor: 5 },
  { name: "etc/passwd", type: "fifo" },
  { name: "etc/passwd", type: "directory" },
])("bad input 3: a $type in the place of a file is not opened, and named", async (entry) => {
  await withImported(await withLayer([entry]), true, async () => {
    const resolved = await here.client.images.resolve(NAME);
    const reading = here.client.images.readFiles(resolved, ["/etc/passwd"], { maxBytes: MIB });
    await expect(reading).rejects.toMatchObject({
      kind: "invalid-argument",
      message: expect.stringContaining(`/etc/passwd of the image is a ${entry.type}`),
    });
  });
});

test("bad input 18: an imported image that unpacks to more than it may is refused", async () => {
  const image = await withLayer([{ name: "zeros", body: Buffer.alloc(32 * MIB) }]);
  await expectRefused(
    once(await ociArchive(image, NAME)),
    { kind: "resource-exhausted" },
    { maxUnpackedBytes: 16 * MIB },
  );
});

test("bad input 10: an image's passwd that goes on without end is not read", async () => {
  const image = await withLayer([{ name: "etc/passwd", body: Buffer.alloc(2 * MIB, "x") }]);
  await withImported(image, true, async () => {
    const resolved = await here.client.images.resolve(NAME);
    await expect(
      here.client.images.readFiles(resolved, ["/etc/passwd"], { maxBytes: MIB }),
    ).rejects.toMatchObject({ kind: "out-of-range" });
  });
});

test("a look into an image ends with its caller", async () => {
  const image = await withLayer([{ name: "zeros", body: Buffer.alloc(64 * MIB) }]);
  await withImported(image, true, async () => {
    const resolved = await here.client.images.resolve(NAME);
    await expect(
      here.client.images.readFiles(resolved, ["/x"], { maxBytes: 1, signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({ kind: "canceled" });
  });
});
