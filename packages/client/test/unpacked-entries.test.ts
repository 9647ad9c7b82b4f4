import type { Interceptor } from "@connectrpc/connect";
import { type Client, createClient, type ResolvedImage } from "@wfe-containerd/client";
import { type Inventory, once, takeInventory, useDaemon } from "@wfe-containerd/test-infra/daemon";
import { buildImage, type LayerEntry, ociArchive } from "@wfe-containerd/test-infra/images";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";

const at = useDaemon({ image: false });
const NAME = "docker.io/library/entries:1";
const file = (path: string, contents = path): LayerEntry => ({ path, contents, mode: 0o600 });

/** Every kind of entry that a path may lead through. */
const LAYERS: readonly (readonly LayerEntry[])[] = [
  [
    file("usr/etc/passwd", "lower"),
    file("usr/etc/group", "group"),
    file("usr/passwd", "hop"),
    { path: "etc", symlink: "usr/etc" },
    { path: "up", symlink: "etc/../passwd" },
    { path: "loop", symlink: "loop" },
    { path: "hard", link: "usr/etc/group" },
  ],
  [file("usr/etc/passwd", "upper")],
];
const PATHS = ["/etc/passwd", "/etc/group", "/up", "/hard", "/etc/none", "/etc/passwd/below"];
const FOUND = { "/etc/passwd": "upper", "/etc/group": "group", "/up": "hop", "/hard": "group" };

let image: ResolvedImage;
let before: Inventory;
let client: Client;
let calls: string[];
/** Called before each call is sent. */
let onCall: (name: string) => void;
/** Changes the mounts that the client receives. */
let onMounts: (mounts: { type: string; source: string; target: string; options: string[] }[]) => void;

const interceptor: Interceptor = (next) => async (request) => {
  calls.push(request.method.name);
  onCall(request.method.name);
  const response = await next(request);
  if (request.method.name === "Prepare") onMounts((response.message as unknown as { mounts: [] }).mounts);
  return response;
};

const everything = () => takeInventory({ daemon: at.daemon, client: at.client, images: true });

async function read(paths: readonly string[] = PATHS, signal?: AbortSignal): Promise<Record<string, string>> {
  const files = await client.images.readFiles(image, paths, { maxBytes: 100, signal });
  return Object.fromEntries([...files].map(([path, bytes]) => [path, Buffer.from(bytes).toString()]));
}

beforeAll(async () => {
  const { address } = at.daemon;
  client = createClient({ address, namespace: at.client.namespace, interceptors: [interceptor] });
  await at.client.images.import(once(await ociArchive(await buildImage({ layers: LAYERS }), NAME)));
  image = await at.client.images.resolve(NAME);
});
afterAll(async () => {
  await at.client.images.remove(NAME, { sync: true });
  await client.close();
});
beforeEach(async () => {
  calls = [];
  onCall = () => undefined;
  onMounts = () => undefined;
  before = await everything();
});

describe("files of an unpacked image", () => {
  test("are read, and nothing is left of the reading", async () => {
    expect(await read()).toEqual(FOUND);
    expect(await everything()).toEqual(before);
  });

  test("in a directory that is no link cost one snapshot, one archive in and one out", async () => {
    expect(await read(["/usr/etc/passwd", "/usr/passwd"])).toEqual({
      "/usr/etc/passwd": "upper",
      "/usr/passwd": "hop",
    });
    expect(calls.filter((name) => name === "Prepare" || name === "Diff")).toEqual(["Prepare", "Diff"]);
  });

  test("are read by many at once", async () => {
    const readings = await Promise.all(Array.from({ length: 12 }, () => read()));
    for (const found of readings) expect(found).toEqual(FOUND);
    expect(await everything()).toEqual(before);
  });

  test("of a snapshotter whose files cannot be reached by a path are read", async () => {
    // Two mounts: snapshotters on block devices or FUSE may give them.
    onMounts = (mounts) => void mounts.unshift({ type: "tmpfs", source: "tmpfs", target: "", options: [] });
    expect(await read()).toEqual(FOUND);
    expect(await everything()).toEqual(before);
  });

  test("of the native snapshotter, which copies, are read", async () => {
    const native = client.with({ snapshotter: "native" });
    await expect(native.images.readFiles(image, ["/up"], { maxBytes: 9 })).rejects.toMatchObject({
      kind: "failed-precondition",
    });
    const lease = await at.client.leases.create();
    await native.with({ leaseId: lease.id }).images.unpack(image);
    const files = await native.images.readFiles(image, PATHS, { maxBytes: 9 });
    expect(Object.fromEntries([...files].map(([path, bytes]) => [path, String(Buffer.from(bytes))]))).toEqual(
      FOUND,
    );
    await at.client.content.setLabels(image.configDescriptor.digest, {
      "containerd.io/gc.ref.snapshot.native": "",
    });
    await lease.delete({ sync: true });
    expect(await everything()).toEqual(before);
  });

  test("are data, also where the daemon's kernel would copy only what describes a file", async () => {
    onMounts = (mounts) => void mounts[0]?.options.push("metacopy=on", "redirect_dir=on");
    expect(await read()).toEqual(FOUND);
  });

  test("that are too large are not packed, and the one that is so is named", async () => {
    const name = "docker.io/library/huge:1";
    const layers = [[file("etc/passwd", "x".repeat(4 * 1024 * 1024)), file("etc/group", "small")]];
    await at.client.images.import(once(await ociArchive(await buildImage({ layers }), name)));
    const huge = await at.client.images.resolve(name);
    const reading = client.images.readFiles(huge, ["/etc/group", "/etc/passwd"], { maxBytes: 100 });
    await expect(reading).rejects.toMatchObject({
      kind: "out-of-range",
      message: expect.stringMatching(
        /^\/etc\/passwd of the image takes 4\d{6} bytes on the disk; allowed: up to 100$/,
      ),
    });
    // One for each small one, and none for the large one.
    expect(calls.filter((each) => each === "Diff").length).toBeLessThan(
      calls.filter((each) => each === "Prepare").length - 1,
    );
    await at.client.images.remove(name, { sync: true });
    expect(await everything()).toEqual(before);
  });

  test("of more layers than one page of mount options holds are read", async () => {
    const name = "docker.io/library/many:1";
    const layers = Array.from({ length: 70 }, (_, index) => [
      file("etc/passwd", `${index}`),
      file(`etc/${index}`),
    ]);
    await at.client.images.import(once(await ociArchive(await buildImage({ layers }), name)));
    const many = await at.client.images.resolve(name);
    const files = await client.images.readFiles(many, ["/etc/passwd", "/etc/0"], { maxBytes: 9 });
    expect([...files.values()].map((bytes) => String(Buffer.from(bytes)))).toEqual(["69", "etc/0"]);
    await at.client.images.remove(name, { sync: true });
    expect(await everything()).toEqual(before);
  });

  test.each(["Prepare", "Write", "Apply", "Diff", "Read"])(
    "that cannot be read, as %s fails, are an error and not missing, and nothing is left",
    async (failing) => {
      onCall = (name) => {
        if (name === failing) throw new Error("link /x /y: no such file or directory");
      };
      await expect(read()).rejects.toMatchObject({
        name: "ContainerdError",
        message: expect.stringContaining("no such file or directory"),
      });
      onCall = () => undefined;
      await at.client.leases.collectGarbage();
      expect(await everything()).toEqual(before);
    },
  );

  test.each(["Create", "Prepare", "Write", "Apply", "Diff", "Read"])(
    "are no longer read when the caller gives up in %s, and nothing is left",
    async (during) => {
      const aborting = new AbortController();
      onCall = (name) => {
        if (name === during) aborting.abort();
      };
      await expect(read(PATHS, aborting.signal)).rejects.toMatchObject({ kind: "canceled" });
      await at.client.leases.collectGarbage();
      expect(await everything()).toEqual(before);
    },
  );
});
