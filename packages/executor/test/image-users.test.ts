import { gzipSync } from "node:zlib";
import { createExecutor, type StepInput, type StepResult } from "@wfe-containerd/executor";
import { once, useDaemon } from "@wfe-containerd/test-infra/daemon";
import { buildImage, busyboxLayer, ociArchive, toBlob } from "@wfe-containerd/test-infra/images";
import {
  gnuLong,
  paxHeader,
  type RawTarEntry,
  rawTarEntry,
  TAR_END,
} from "@wfe-containerd/test-infra/images/raw-tar";
import { skippableFrame, zstdFrames } from "@wfe-containerd/test-infra/images/zstd-frames";
import { afterEach, describe, expect, test } from "vitest";
import { findBlockingUserFile } from "../src/image/resolve-user.js";
import { createUserFileCache } from "../src/image/user-file-cache.js";

const here = useDaemon();
const NAME = "docker.io/library/users:1";
const OCI = "application/vnd.oci.image.layer.v1.tar";
const DOCKER = "application/vnd.docker.image.rootfs.diff.tar";
const LOOK = "echo $(id -u) $(id -g) $(id -G)";

/** A passwd file in which `app` has this uid. */
const passwd = (uid: number, path = "etc/passwd", more: Partial<RawTarEntry> = {}): Buffer =>
  rawTarEntry({ name: path, body: `root:x:0:0::/:\napp:x:${uid}:${uid + 1}::/:\n`, ...more });
const link = (name: string, linkname: string): Buffer => rawTarEntry({ name, type: "2", linkname });

afterEach(() => here.client.images.remove(NAME, { sync: true }).catch(() => undefined));

interface StoredLayer {
  readonly tar: Uint8Array;
  /** The blob of the layer. Default: the tar itself, as an OCI layer. */
  readonly bytes?: Uint8Array;
  readonly mediaType?: string;
}

/** Imports an image: busybox without users, and these layers on top. */
async function importLayers(odd: readonly StoredLayer[]): Promise<void> {
  const busybox = (await busyboxLayer()).filter(({ path }) => path.startsWith("bin/"));
  const built = await buildImage({ layers: [busybox] });
  const config = JSON.parse(Buffer.from(built.config.bytes).toString());
  config.rootfs.diff_ids.push(...odd.map(({ tar }) => toBlob(tar).digest));
  const configBlob = toBlob(config);
  const manifest = JSON.parse(Buffer.from(built.manifest.bytes).toString());
  manifest.config.digest = configBlob.digest;
  manifest.config.size = configBlob.bytes.byteLength;
  const blobs = odd.map(({ tar, bytes = tar }) => toBlob(bytes));
  for (const [at, { digest, bytes }] of blobs.entries())
    manifest.layers.push({ mediaType: odd[at]?.mediaType ?? OCI, digest, size: bytes.byteLength });
  const image = {
    ...built,
    config: configBlob,
    manifest: toBlob(manifest),
    layers: [...built.layers, ...blobs],
  };
  await here.client.images.import(once(await ociArchive(image, NAME)), { name: NAME });
}

async function run(step: Partial<StepInput>): Promise<StepResult> {
  await using executor = createExecutor({ client: here.client, ioDir: here.ioDir });
  return await executor.run({ name: "who", image: NAME, run: LOOK, ...step } as StepInput);
}

const plain = Buffer.concat([passwd(1000), TAR_END]);
const zipped = gzipSync(plain);

describe("a step is who the container says, with a layer", () => {
  test.each<[string, readonly StoredLayer[]]>([
    ["of two tars, of which the second is not read", [{ tar: Buffer.concat([plain, passwd(0), TAR_END]) }]],
    ["with garbage behind its end", [{ tar: Buffer.concat([plain, Buffer.from("garbage".repeat(200))]) }]],
    ["with a newline behind its end", [{ tar: Buffer.concat([plain, Buffer.from("\n")]) }]],
    ["without an end, and not padded", [{ tar: passwd(1000, "etc/passwd", { isUnpadded: true }) }]],
    ["of several zstd frames", [{ tar: plain, bytes: zstdFrames(plain, 4), mediaType: `${OCI}+zstd` }]],
    [
      "of zstd that begins with a frame to be skipped",
      [
        {
          tar: plain,
          bytes: Buffer.concat([skippableFrame(Buffer.from("x")), zstdFrames(plain, 2)]),
          mediaType: `${OCI}+zstd`,
        },
      ],
    ],
    [
      "of several gzip members",
      [
        {
          tar: Buffer.concat([plain, plain]),
          bytes: Buffer.concat([zipped, zipped]),
          mediaType: `${OCI}+gzip`,
        },
      ],
    ],
    ["of docker's type for a plain tar that is gzipped", [{ tar: plain, bytes: zipped, mediaType: DOCKER }]],
    ["of the type for gzip that is a plain tar", [{ tar: plain, mediaType: `${OCI}+gzip` }]],
    [
      "of the type for gzip that is zstd",
      [{ tar: plain, bytes: zstdFrames(plain, 1), mediaType: `${OCI}+gzip` }],
    ],
    [
      "of a tar of before POSIX",
      [{ tar: Buffer.concat([passwd(1000, "etc/passwd", { format: "v7" }), TAR_END]) }],
    ],
    [
      "with a hard link that has a size",
      [
        {
          tar: Buffer.concat([
            passwd(1000, "users"),
            rawTarEntry({ name: "etc/passwd", type: "1", linkname: "users", size: 512 }),
            TAR_END,
          ]),
        },
      ],
    ],
    [
      "with names in GNU's and PAX's records",
      [
        {
          tar: Buffer.concat([
            gnuLong("L", "etc/passwd"),
            passwd(7, "short"),
            paxHeader({ path: "etc/passwd" }),
            passwd(1000, "short"),
            TAR_END,
          ]),
        },
      ],
    ],
    [
      "with a global PAX header, which renames nothing",
      [{ tar: Buffer.concat([paxHeader({ path: "x" }, "g"), plain]) }],
    ],
    [
      "whose /etc is a link, and which goes through it",
      [{ tar: Buffer.concat([link("etc", "usr/etc"), plain]) }],
    ],
    ["whose /etc is an absolute link", [{ tar: Buffer.concat([link("etc", "/usr/etc"), plain]) }]],
    ["whose /etc leads out of the root", [{ tar: Buffer.concat([link("etc", "../../../usr/etc"), plain]) }]],
    [
      "in which a later /etc/passwd replaces a directory",
      [{ tar: Buffer.concat([rawTarEntry({ name: "etc/passwd", type: "5" }), plain]) }],
    ],
    [
      "whose links lead back from where they led to",
      [
        {
          tar: Buffer.concat([
            link("l", "m"),
            link("m", "deep/a"),
            rawTarEntry({ name: "deep/a", type: "5", mode: 0o755 }),
            link("etc", "l/../etc"),
            passwd(7, "etc2/passwd"),
            passwd(1000, "deep/etc/passwd"),
            TAR_END,
          ]),
        },
      ],
    ],
    [
      "above one that it hides",
      [
        { tar: Buffer.concat([passwd(7), TAR_END]) },
        { tar: Buffer.concat([rawTarEntry({ name: "etc/.wh..wh..opq" }), plain]) },
      ],
    ],
  ])("%s", async (_, layers) => {
    await importLayers(layers);
    // By name and by number. Both get their group from passwd.
    const [named, numbered] = [await run({ user: "app" }), await run({ user: "1000" })];
    expect([named.stdout, numbered.stdout]).toEqual(["1000 1001 1001\n", "1000 1001 1001\n"]);
  });
});

describe("an image at whose users the runtime cannot get", () => {
  test("is refused, and leaves nothing: a directory", async () => {
    await importLayers([{ tar: Buffer.concat([rawTarEntry({ name: "etc/passwd/", type: "5" }), TAR_END]) }]);
    const before = await here.inventory();
    await expect(run({})).rejects.toMatchObject({
      kind: "refused",
      message: expect.stringContaining("image: /etc/passwd is a directory; allowed: a regular file"),
      issues: [{ field: "image", message: "/etc/passwd is a directory" }],
    });
    await here.expectNothingLeft(before);
  });

  test.each([
    ["a FIFO", [rawTarEntry({ name: "etc/passwd", type: "6" })], "/etc/passwd"],
    [
      "a link to a FIFO",
      [rawTarEntry({ name: "run/pipe", type: "6" }), link("etc/group", "../run/pipe")],
      "/etc/group",
    ],
  ])("is named where the runtime does not answer: %s", async (_, entries, path) => {
    await importLayers([{ tar: Buffer.concat([...entries, TAR_END]) }]);
    const image = await here.client.images.resolve(NAME);
    expect(await findBlockingUserFile(here.client, image, createUserFileCache())).toBe(
      `image: ${path} of the image is a FIFO, and the runtime would wait for it for ever; allowed: a regular file`,
    );
  });
});

describe("an image without a file of users", () => {
  test.each<[string, Buffer]>([
    ["a second tar has one", Buffer.concat([TAR_END, passwd(0), TAR_END])],
    ["a dangling link is in its place", Buffer.concat([link("etc/passwd", "/nothing"), TAR_END])],
    ["a link out of the root is in its place", Buffer.concat([link("etc", "../../../../../etc2"), TAR_END])],
  ])("has no users, though %s; a uid's group is 0", async (_, tar) => {
    await importLayers([{ tar }]);
    await expect(run({ user: "app" })).rejects.toMatchObject({
      kind: "refused",
      issues: [{ field: "user" }],
    });
    expect((await run({ user: "1000" })).stdout).toBe("1000 0 0\n");
  });
});

test.each<[string, Buffer, string]>([
  ["a directory", rawTarEntry({ name: "etc/passwd", type: "5", mode: 0o755 }), "is a directory"],
  ["a FIFO", rawTarEntry({ name: "etc/passwd", type: "6" }), "is a fifo"],
  ["a loop", link("etc/passwd", "passwd"), "too many links"],
  ["a link into /proc", link("etc/passwd", "/proc/self/root/users"), "leads to /proc"],
])("%s in the place of /etc/passwd is named, and never taken for a group of 0", async (_, entry, problem) => {
  await importLayers([{ tar: Buffer.concat([entry, passwd(1000, "users"), TAR_END]) }]);
  for (const user of ["app", "1000"]) {
    await expect(run({ user })).rejects.toMatchObject({
      kind: "refused",
      message: expect.stringMatching(new RegExp(`^image: /etc/passwd.*${problem}.*; allowed: .*uid:gid`)),
      issues: [{ field: "image" }],
    });
  }
});
