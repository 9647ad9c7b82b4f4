import { once, useDaemon } from "@wfe-containerd/test-infra/daemon";
import { buildImage, type LayerEntry, ociArchive } from "@wfe-containerd/test-infra/images";
import { describe, expect, test } from "vitest";

const at = useDaemon({ image: false });
const NAME = "docker.io/library/files:1";

/** Reads files, as text, of an image with these layers. */
async function read(
  layers: readonly (readonly LayerEntry[])[],
  paths: readonly string[],
  maxBytes = 100,
): Promise<Record<string, string>> {
  const { client } = at;
  await client.images.import(once(await ociArchive(await buildImage({ layers }), NAME)));
  try {
    const image = await client.images.resolve(NAME);
    const files = await client.images.readFiles(image, paths, { maxBytes });
    return Object.fromEntries([...files].map(([path, bytes]) => [path, Buffer.from(bytes).toString()]));
  } finally {
    await client.images.remove(NAME, { sync: true });
  }
}

const file = (path: string, contents = path): LayerEntry => ({ path, contents, mode: 0o644 });
const whiteout = (path: string): LayerEntry => file(path, "");

describe("files of an image", () => {
  test("come by the path that was asked for, and those that it does not have are left out", async () => {
    const layers = [[{ path: "etc/" }, file("etc/passwd", "root"), file("./etc/group", "wheel")]];
    const found = await read(layers, [
      "/etc/passwd",
      "etc/group",
      "/etc/../etc//passwd",
      "/etc/shadow",
      "/etc/passwd/x",
      "/nothing/at/all",
    ]);
    expect(found).toEqual({ "/etc/passwd": "root", "etc/group": "wheel", "/etc/../etc//passwd": "root" });
  });

  test("of later layers hide those of earlier ones", async () => {
    expect(await read([[file("a", "old")], [file("b")], [file("a", "new")]], ["/a", "/b"])).toEqual({
      "/a": "new",
      "/b": "b",
    });
  });

  test("are hidden by whiteouts, of themselves and of a directory above", async () => {
    const layers = [
      [file("a"), file("d/e/f"), file("d/g")],
      [whiteout(".wh.a"), whiteout("d/.wh.e")],
    ];
    expect(await read(layers, ["/a", "/d/e/f", "/d/g"])).toEqual({ "/d/g": "d/g" });
  });

  test("come back in a layer after a whiteout, or beside it in the same", async () => {
    expect(await read([[file("a", "1")], [whiteout(".wh.a")], [file("a", "3")]], ["/a"])).toEqual({
      "/a": "3",
    });
    expect(
      await read([[file("d/a", "1")], [file("d/a", "2"), whiteout("d/.wh..wh..opq")]], ["/d/a"]),
    ).toEqual({
      "/d/a": "2",
    });
  });

  test("in a directory that was made opaque are those of its own layer and later ones", async () => {
    const layers = [
      [file("d/old"), file("d/s/old"), file("e")],
      [whiteout("d/.wh..wh..opq"), file("d/new")],
    ];
    expect(await read(layers, ["/d/old", "/d/s/old", "/d/new", "/e"])).toEqual({
      "/d/new": "d/new",
      "/e": "e",
    });
  });

  test("are found through symbolic links, relative, absolute, of directories, and out of the root", async () => {
    const layers = [
      [
        file("usr/lib/real", "real"),
        { path: "relative", symlink: "usr/lib/real" },
        { path: "absolute", symlink: "/usr/lib/real" },
        { path: "usr/up", symlink: "../../../../usr/lib/real" },
        { path: "lib", symlink: "usr/lib" },
        { path: "chain", symlink: "lib/../lib/real" },
        { path: "dangling", symlink: "nothing" },
      ],
    ];
    const names = ["/relative", "/absolute", "/usr/up", "/lib/real", "/chain"];
    const found = await read(layers, [...names, "/dangling"]);
    expect(found).toEqual(Object.fromEntries(names.map((name) => [name, "real"])));
  });

  test("behind links that are a loop are refused", async () => {
    const loop = [
      [
        { path: "a", symlink: "b" },
        { path: "b", symlink: "a" },
      ],
    ];
    await expect(read(loop, ["/a"])).rejects.toMatchObject({
      kind: "invalid-argument",
      message: expect.stringContaining("too many links"),
    });
    await expect(read([[{ path: "a", symlink: "a/b" }]], ["/a"])).rejects.toThrow("too many links");
  });

  test("that are hard links are what was linked, even after that was changed or removed", async () => {
    const layers = [
      [file("a", "old"), { path: "b", link: "a" }, file("c", "old"), { path: "d", link: "c" }],
      [file("a", "new"), whiteout(".wh.c")],
    ];
    expect(await read(layers, ["/a", "/b", "/c", "/d"])).toEqual({ "/a": "new", "/b": "old", "/d": "old" });
  });

  test("below a link that became a directory, or a directory that became something else", async () => {
    const became = [
      [file("x/passwd", "wrong"), { path: "etc", symlink: "x" }],
      [{ path: "etc/" }, file("etc/group", "right")],
    ];
    expect(await read(became, ["/etc/passwd", "/etc/group"])).toEqual({ "/etc/group": "right" });
    const layers = [
      [file("d/a", "old"), file("e/a", "old")],
      [file("d"), { path: "e", symlink: "f" }, file("f/a", "f")],
    ];
    expect(await read(layers, ["/d/a", "/e/a", "/d"])).toEqual({ "/e/a": "f", "/d": "d" });
  });

  test("that are larger than was said are refused", async () => {
    expect(await read([[file("a", "12345")]], ["/a"], 5)).toEqual({ "/a": "12345" });
    await expect(read([[file("a", "123456")]], ["/a"], 5)).rejects.toMatchObject({ kind: "out-of-range" });
  });

  test.each<[string, string, LayerEntry[]]>([
    ["/", "directory", []],
    ["/etc", "directory", [file("etc/passwd")]],
    ["/link", "directory", [file("etc/passwd"), { path: "link", symlink: "/etc" }]],
  ])("that are none are refused by name: %s is a %s", async (path, kind, layer) => {
    await expect(read([[file("a"), ...layer]], [path])).rejects.toMatchObject({
      kind: "invalid-argument",
      message: expect.stringContaining(`${path} of the image is a ${kind}; allowed: a regular file`),
    });
  });

  test("of an image without layers are none", async () => {
    expect(await read([], ["/etc/passwd"])).toEqual({});
  });

  test("of an image that is not unpacked, or for a caller who has gone", async () => {
    const { client } = at;
    const archive = await ociArchive(await buildImage({ layers: [[file("a")]] }), NAME);
    await client.images.import(once(archive), { unpack: false });
    const image = await client.images.resolve(NAME);
    const options = { maxBytes: 10 };
    await expect(client.images.readFiles(image, ["/a"], options)).rejects.toMatchObject({
      kind: "failed-precondition",
      message: expect.stringContaining("is not unpacked"),
    });
    await client.images.unpack(image);
    await expect(
      client.images.readFiles(image, ["/a"], { ...options, signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({ kind: "canceled" });
    await client.images.remove(NAME, { sync: true });
  });
});
