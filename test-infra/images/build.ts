import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { pack } from "tar-stream";

/** An entry of a layer: a file if it has `contents`, a link with `symlink` or `link`, else a directory. */
export interface LayerEntry {
  readonly path: string;
  readonly contents?: string | Uint8Array;
  /** Permission bits. @default 0o755 */
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** The target of a symbolic link. */
  readonly symlink?: string;
  /** The target of a hard link: the path of an earlier entry. */
  readonly link?: string;
}

export interface ImageContents {
  /** Each layer as entries, or as a finished tar. */
  readonly layers: readonly (readonly LayerEntry[] | Uint8Array)[];
  /** The image config's `config`. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** In Go's words, such as `amd64`. Default: this machine's. */
  readonly architecture?: string;
  readonly variant?: string;
  readonly compression?: "gzip" | "none";
}

export interface Blob {
  readonly digest: string;
  readonly bytes: Uint8Array;
}

export interface BuiltImage {
  readonly manifest: Blob;
  readonly config: Blob;
  readonly layers: readonly Blob[];
  readonly architecture: string;
  readonly variant: string | undefined;
}

const compress = promisify(gzip);
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64", arm: "arm" };
/** Every time stamp. The same input must give the same bytes, so that digests can be compared. */
const EPOCH = new Date(0);

export function toBlob(value: object | Uint8Array): Blob {
  const bytes = value instanceof Uint8Array ? value : Buffer.from(JSON.stringify(value));
  return { digest: `sha256:${createHash("sha256").update(bytes).digest("hex")}`, bytes };
}

/** Builds one image for one platform. */
export async function buildImage(contents: ImageContents): Promise<BuiltImage> {
  const { config = {}, compression = "gzip", variant } = contents;
  const architecture = contents.architecture ?? ARCHITECTURES[process.arch] ?? process.arch;
  const tars = await Promise.all(contents.layers.map(packLayer));
  const layers =
    compression === "gzip"
      ? await Promise.all(tars.map(async (tar) => toBlob(await compress(tar))))
      : tars.map(toBlob);
  const imageConfig = toBlob({
    os: "linux",
    architecture,
    ...(variant !== undefined && { variant }),
    config,
    rootfs: { type: "layers", diff_ids: tars.map((tar) => toBlob(tar).digest) },
  });
  const manifest = toBlob({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: {
      mediaType: "application/vnd.oci.image.config.v1+json",
      digest: imageConfig.digest,
      size: imageConfig.bytes.byteLength,
    },
    layers: layers.map(({ digest, bytes }) => ({
      mediaType: `application/vnd.oci.image.layer.v1.tar${compression === "gzip" ? "+gzip" : ""}`,
      digest,
      size: bytes.byteLength,
    })),
  });
  return { manifest, config: imageConfig, layers, architecture, variant };
}

async function packLayer(entries: readonly LayerEntry[] | Uint8Array): Promise<Uint8Array> {
  if (entries instanceof Uint8Array) return entries;
  const tar = pack();
  for (const { path, contents, mode = 0o755, uid = 0, gid = 0, symlink, link } of entries) {
    const common = { name: path, mode, uid, gid, mtime: EPOCH };
    if (contents !== undefined) tar.entry(common, Buffer.from(contents));
    else if (symlink !== undefined) tar.entry({ ...common, type: "symlink", linkname: symlink });
    else if (link !== undefined) tar.entry({ ...common, type: "link", linkname: link });
    else tar.entry({ ...common, type: "directory" });
  }
  tar.finalize();
  return readAll(tar);
}

/** Packs an OCI layout as a tar: one image, or several with an index for their platforms. */
export async function ociArchive(images: BuiltImage | readonly BuiltImage[], name?: string): Promise<Buffer> {
  const all = Array.isArray(images) ? (images as readonly BuiltImage[]) : [images as BuiltImage];
  const manifests = all.map(({ manifest, architecture, variant }) => ({
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    digest: manifest.digest,
    size: manifest.bytes.byteLength,
    platform: { os: "linux", architecture, ...(variant !== undefined && { variant }) },
  }));
  const blobs = all.flatMap(({ manifest, config, layers }) => [manifest, config, ...layers]);
  let target: object = manifests[0] as object;
  if (all.length > 1) {
    const index = toBlob({
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.index.v1+json",
      manifests,
    });
    blobs.push(index);
    target = {
      mediaType: "application/vnd.oci.image.index.v1+json",
      digest: index.digest,
      size: index.bytes.byteLength,
    };
  }
  const annotations =
    name === undefined
      ? {}
      : { annotations: { "io.containerd.image.name": name, "org.opencontainers.image.ref.name": name } };
  const tar = pack();
  tar.entry({ name: "oci-layout", mtime: EPOCH }, JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  for (const { digest, bytes } of new Map(blobs.map((blob) => [blob.digest, blob])).values()) {
    tar.entry({ name: `blobs/${digest.replace(":", "/")}`, mtime: EPOCH }, Buffer.from(bytes));
  }
  tar.entry(
    { name: "index.json", mtime: EPOCH },
    JSON.stringify({ schemaVersion: 2, manifests: [{ ...target, ...annotations }] }),
  );
  tar.finalize();
  return readAll(tar);
}

/** Packs an image as `docker save` does: a directory for each layer, and manifest.json. */
export async function dockerArchive(
  { config, layers }: BuiltImage,
  tags: readonly string[],
): Promise<Buffer> {
  const tar = pack();
  const hex = (blob: Blob): string => blob.digest.slice("sha256:".length);
  for (const layer of layers)
    tar.entry({ name: `${hex(layer)}/layer.tar`, mtime: EPOCH }, Buffer.from(layer.bytes));
  tar.entry({ name: `${hex(config)}.json`, mtime: EPOCH }, Buffer.from(config.bytes));
  const manifest = [
    {
      Config: `${hex(config)}.json`,
      RepoTags: tags,
      Layers: layers.map((layer) => `${hex(layer)}/layer.tar`),
    },
  ];
  tar.entry({ name: "manifest.json", mtime: EPOCH }, JSON.stringify(manifest));
  tar.finalize();
  return readAll(tar);
}

async function readAll(source: AsyncIterable<unknown>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks);
}

/** The path in Debian's busybox-static. */
const BUSYBOX = "/bin/busybox";

/** Returns the entries of a layer with busybox, and with the users that tests need. */
export async function busyboxLayer(): Promise<LayerEntry[]> {
  const contents = await readFile(BUSYBOX).catch((cause: unknown) => {
    throw new Error(`there is no ${BUSYBOX}: apt-get install busybox-static`, { cause });
  });
  const applets =
    "[ arp awk base64 basename cat chgrp chmod chown cp cut date dd df dmesg du echo env expr false find free grep gunzip gzip head hostname id ifconfig ip kill killall ln ls md5sum mkdir mkfifo mknod mktemp more mount mv nc nice nproc nslookup od ping printf ps pwd readlink realpath rm rmdir sed seq setsid sh sha256sum sleep sort stat stty su sync sysctl tail tar tee test time timeout top touch tr true truncate tty umount uname uniq unshare vi wc wget which whoami xargs yes".split(
      " ",
    );
  return [
    { path: "bin/" },
    { path: "bin/busybox", contents },
    ...applets.map((applet) => ({ path: `bin/${applet}`, symlink: "busybox" })),
    { path: "etc/" },
    {
      path: "etc/passwd",
      mode: 0o644,
      contents:
        "root:x:0:0:root:/root:/bin/sh\nbuilder:x:1000:1000::/home/builder:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    },
    {
      path: "etc/group",
      mode: 0o644,
      contents: "root:x:0:\nbuilder:x:1000:\nvideo:x:44:builder\nnogroup:x:65534:\n",
    },
    { path: "home/builder/", uid: 1000, gid: 1000 },
    { path: "root/", mode: 0o700 },
    { path: "tmp/", mode: 0o1777 },
  ];
}

export const BUSYBOX_NAME = "docker.io/library/busybox:latest";

/** Packs a small image with busybox as the tar of an OCI layout. */
export async function busyboxArchive(name: string = BUSYBOX_NAME): Promise<Buffer> {
  return ociArchive(
    await buildImage({ layers: [await busyboxLayer()], config: { Cmd: ["sh"], Env: ["FROM_IMAGE=yes"] } }),
    name,
  );
}
