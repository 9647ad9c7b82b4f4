import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Client, createClient, normalizeReference } from "@wfe-containerd/client";
import { once, useDaemon } from "@wfe-containerd/test-infra/daemon";
import { ctr } from "@wfe-containerd/test-infra/daemon/ctr";
import { buildImage, busyboxArchive, busyboxLayer, ociArchive } from "@wfe-containerd/test-infra/images";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { all } from "./archive.js";

const run = promisify(execFile);
const at = useDaemon({ image: false });
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "images-test-"));
});
afterAll(() => rm(directory, { recursive: true }));

/** Everything that the daemon stores for images in the namespace. */
async function kept(client: Client): Promise<{ content: string[]; snapshots: string[]; images: string[] }> {
  const content = await all(client.content.list());
  const snapshots = await all(client.snapshots.list());
  const images = await client.images.list();
  return {
    content: content.map(({ digest }) => digest).toSorted(),
    snapshots: snapshots.map(({ name }) => name).toSorted(),
    images: images.map(({ name }) => name).toSorted(),
  };
}

const NOTHING = { content: [], snapshots: [], images: [] };

describe("an image that we imported", () => {
  const name = "docker.io/library/ours:1";

  test("runs with ctr, and is complete to it", async () => {
    const { client } = at;
    const [image] = await client.images.import(once(await busyboxArchive(name)));
    expect(image).toMatchObject({ name });
    expect(await ctr(at, "run", "--rm", name, "ours-run", "/bin/sh", "-c", "echo from $FROM_IMAGE")).toBe(
      "from yes\n",
    );
    const [, line = ""] = (await ctr(at, "image", "check", `name==${name}`)).split("\n");
    expect(line).toMatch(/ complete \(\d+\/\d+\) .* true/);
  });

  test("stays whole through a garbage collection", async () => {
    const { client } = at;
    const before = await kept(client);
    expect(before.snapshots.length).toBeGreaterThan(0);
    await client.leases.collectGarbage();
    expect(await kept(client)).toEqual(before);
    const resolved = await client.images.resolve("ours:1");
    expect(await client.images.isUnpacked(resolved)).toBe(true);
  });

  test("is exported by ctr, and removed with all that it was", async () => {
    const { client } = at;
    const file = join(directory, "ours.tar");
    await ctr(at, "image", "export", file, name);
    await client.images.remove(name, { sync: true });
    expect(await kept(client)).toEqual(NOTHING);
    await client.images.import(once(await readFile(file)));
    expect((await kept(client)).images).toEqual([name]);
    await ctr(at, "image", "rm", "--sync", name);
    expect(await kept(client)).toEqual(NOTHING);
  });
});

describe("an image that ctr imported", () => {
  const name = "docker.io/library/theirs:1";

  test("is resolved, unpacked, run, exported and removed by us", async () => {
    const { client } = at;
    const file = join(directory, "theirs.tar");
    await writeFile(file, await busyboxArchive(name));
    await ctr(at, "image", "import", "--no-unpack", file);
    const image = await client.images.resolve("theirs:1");
    expect(image.config.config?.Env).toEqual(["FROM_IMAGE=yes"]);
    expect(await client.images.isUnpacked(image)).toBe(false);
    await client.images.unpack(image);
    expect(await client.images.isUnpacked(image)).toBe(true);
    await client.leases.collectGarbage();
    expect(await client.images.isUnpacked(image)).toBe(true);
    expect(await ctr(at, "run", "--rm", name, "theirs-run", "/bin/true")).toBe("");
    expect((await all(client.images.export(name))).length).toBeGreaterThan(0);
    await client.images.remove(name, { sync: true });
    expect(await kept(client)).toEqual(NOTHING);
  });
});

describe("images that other clients named as they please", () => {
  const full = normalizeReference("mine:1");
  const names = async (): Promise<string[]> => (await at.client.images.list()).map(({ name }) => name);

  /**
   * Imports two images. One has a full name. ctr gives the other a short name, a digest, and names that are
   * not valid references.
   */
  async function bring(): Promise<{ ours: string; theirs: string; odd: string[] }> {
    const { client } = at;
    const [own] = await client.images.import(
      once(await ociArchive(await buildImage({ layers: [[{ path: "own", contents: "1" }]] }))),
      { name: full },
    );
    const other = normalizeReference("other:1");
    const [their] = await client.images.import(once(await busyboxArchive(other)));
    const theirs = their?.target.digest ?? "";
    const odd = [`import-2024@${theirs}`, "mine:1", theirs, "No Reference"];
    for (const name of odd) await ctr(at, "image", "tag", other, name);
    await ctr(at, "image", "rm", "--sync", other);
    return { ours: own?.target.digest ?? "", theirs, odd };
  }

  afterEach(async () => {
    for (const name of await names()) await ctr(at, "image", "rm", "--sync", name);
    expect(await kept(at.client)).toEqual(NOTHING);
  });

  test("are meant by exactly their names, and else the full name is", async () => {
    const { images } = at.client;
    const { ours, theirs, odd } = await bring();
    for (const name of odd) {
      expect(await images.get(name)).toMatchObject({ name, target: { digest: theirs } });
      expect((await images.resolve(name)).manifest.digest).toBe(theirs);
      expect((await images.usage(name)).snapshots).toBe(1);
      expect((await all(images.export(name))).length).toBeGreaterThan(0);
    }
    expect((await images.get(full)).target.digest).toBe(ours);
    // New names are stored in full.
    expect(await images.tag("No Reference", "named:1")).toMatchObject({
      name: normalizeReference("named:1"),
      target: { digest: theirs },
    });
    await images.remove("mine:1");
    expect(await names()).toContain(full);
    expect((await images.get("mine:1")).target.digest).toBe(ours);
    await images.remove("mine:1");
    await expect(images.get("mine:1")).rejects.toMatchObject({ kind: "not-found" });
    await expect(images.get("Absent")).rejects.toMatchObject({
      kind: "invalid-argument",
      message: expect.stringContaining("upper case"),
    });
  });

  test("are meant by their records, and no other one is", async () => {
    const { images } = at.client;
    const { ours, theirs } = await bring();
    const [short] = await images.list([`name==${JSON.stringify("mine:1")}`]);
    if (short === undefined) throw new Error("ctr has made no mine:1");
    expect((await images.resolve(short)).manifest.digest).toBe(theirs);
    await images.remove(short);
    await expect(images.remove(short)).rejects.toMatchObject({ kind: "not-found" });
    expect((await images.get("mine:1")).target.digest).toBe(ours);
  });

  test("are pruned with the others, and what they were is collected before it ends", async () => {
    const { images } = at.client;
    const { odd } = await bring();
    const expected = [full, ...odd].toSorted();
    expect((await images.prune({ dryRun: true })).map(({ name }) => name).toSorted()).toEqual(expected);
    expect((await images.prune()).map(({ name }) => name).toSorted()).toEqual(expected);
    expect(await kept(at.client)).toEqual(NOTHING);
  });

  test("are no place for what may be a password", async () => {
    const away = createClient({ address: join(directory, "absent.sock"), namespace: "default" });
    const text = "user:secret-canary-password@registry.example.com/app";
    const failure = await away.images.get(text).then(
      () => "",
      (reason: unknown) => String(reason),
    );
    await away.close();
    expect(failure).toMatch(/invalid digest/);
    expect(failure).not.toContain("canary");
  });
});

describe("an export", () => {
  const name = "docker.io/library/exported:1";
  const exported = async (...args: Parameters<Client["images"]["export"]>): Promise<Buffer> =>
    Buffer.concat(await all(at.client.images.export(...args)));

  test("is the same each time, and what ctr imports", async () => {
    const { client } = at;
    await client.images.import(once(await busyboxArchive(name)));
    const archive = await exported("exported:1");
    expect(archive.equals(await exported(name))).toBe(true);
    const before = await kept(client);
    await client.images.remove(name, { sync: true });
    const file = join(directory, "exported.tar");
    await writeFile(file, archive);
    await ctr(at, "image", "import", file);
    // ctr also imports the layout's own index, which the garbage collection then removes.
    await client.leases.collectGarbage();
    expect(await kept(client)).toEqual(before);
    expect(await ctr(at, "run", "--rm", name, "exported-run", "/bin/echo", "hi")).toBe("hi\n");
    // A second export gives the same bytes.
    expect(archive.equals(await exported(name))).toBe(true);
  });

  test("is an archive to skopeo", async () => {
    const file = join(directory, "skopeo.tar");
    await writeFile(file, await exported(name));
    const { stdout } = await run("skopeo", ["inspect", "--raw", `oci-archive:${file}:1`]);
    const manifest = JSON.parse(stdout) as { layers: { digest: string }[] };
    const { layers } = await at.client.images.resolve(name);
    expect(manifest.layers.map(({ digest }) => digest)).toEqual(layers.map(({ digest }) => digest));
    await run("skopeo", ["copy", `oci-archive:${file}:1`, `docker-archive:${join(directory, "copied.tar")}`]);
  });

  test("can be given up half-way, and leaves no lease", async () => {
    const { client } = at;
    const before = await at.inventory();
    for await (const chunk of client.images.export(name)) {
      expect(chunk.byteLength).toBeGreaterThan(0);
      break;
    }
    const controller = new AbortController();
    await expect(async () => {
      for await (const _ of client.images.export(name, { signal: controller.signal })) controller.abort();
    }).rejects.toMatchObject({ kind: "canceled" });
    await at.expectNothingLeft(before);
  });

  test("of an image that is not here is refused before the first byte", async () => {
    await expect(exported("absent")).rejects.toMatchObject({ kind: "not-found" });
    await expect(exported([])).rejects.toMatchObject({ kind: "invalid-argument" });
    await expect(
      exported(name, { platforms: [{ os: "linux", architecture: "s390x" }] }),
    ).rejects.toMatchObject({ kind: "not-found" });
    await at.client.images.remove(name, { sync: true });
  });
});

describe("an image for several platforms", () => {
  const name = normalizeReference("multi:1");
  const config = { Cmd: ["true"] };

  test("resolves to the daemon's, and to the one that was asked for", async () => {
    const { client } = at;
    const own = await client.introspection.daemonPlatform();
    const layers = [await busyboxLayer()];
    const native = await buildImage({ layers, config, architecture: own.architecture });
    const foreign = await buildImage({
      layers: [[{ path: "foreign", contents: "x" }]],
      config,
      architecture: "s390x",
    });
    await client.images.import(once(await ociArchive([foreign, native], name)));
    expect((await client.images.resolve(name)).manifest.digest).toBe(native.manifest.digest);
    const other = { os: "linux", architecture: "s390x" };
    expect((await client.images.resolve(name, { platform: other })).manifest.digest).toBe(
      foreign.manifest.digest,
    );
    await expect(
      client.images.resolve(name, { platform: { os: "linux", architecture: "mips" } }),
    ).rejects.toMatchObject({ kind: "not-found", message: expect.stringContaining("linux/s390x") });
    expect(await ctr(at, "run", "--rm", name, "multi-run", "/bin/echo", "native")).toBe("native\n");
  });

  test("is exported for one of them, and again from there", async () => {
    const { client } = at;
    const own = await client.introspection.daemonPlatform();
    const whole = Buffer.concat(await all(client.images.export(name)));
    const part = Buffer.concat(await all(client.images.export(name, { platforms: [own] })));
    expect(part.byteLength).toBeLessThan(whole.byteLength);
    expect(await client.images.platforms(name)).toEqual([{ os: "linux", architecture: "s390x" }, own]);
    const { target } = await client.images.get(name);
    await client.images.remove(name, { sync: true });
    expect(await kept(client)).toEqual(NOTHING);
    await client.images.import(once(part));
    // The index is unchanged. The image for the other platform is missing.
    expect(await client.images.platforms(name)).toEqual([own]);
    expect((await client.images.get(name)).target).toEqual(target);
    await expect(
      client.images.resolve(name, { platform: { os: "linux", architecture: "s390x" } }),
    ).rejects.toMatchObject({ kind: "not-found" });
    expect(part.equals(Buffer.concat(await all(client.images.export(name))))).toBe(true);
    await client.images.remove(name, { sync: true });
    const file = join(directory, "part.tar");
    await writeFile(file, part);
    await ctr(at, "image", "import", file);
    expect(await ctr(at, "run", "--rm", name, "part-run", "/bin/echo", "native")).toBe("native\n");
    await client.images.remove(name, { sync: true });
    expect(await kept(client)).toEqual(NOTHING);
  });
});
