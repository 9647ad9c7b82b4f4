import { gzipSync } from "node:zlib";
import { gnuLong, paxHeader, type RawTarEntry, rawTarEntry, TAR_END } from "./raw-tar.js";
import { skippableFrame, zstdFrames } from "./zstd-frames.js";

/** A layer as it is stored, and its decompressed tar. */
export interface OddLayer {
  readonly bytes: Uint8Array;
  readonly tar: Uint8Array;
  readonly mediaType: string;
}

/** @returns a random number from 0 to 1. */
export type Random = () => number;

/** Makes odd layers, most of them legal. Each gives the user `app` other ids. */
export function oddLayers(random: Random, canary: string): OddLayer[] {
  const layers = Array.from({ length: 1 + Math.floor(random() * 3) }, () => oddTar(random, canary));
  return layers.map((tar) => store(random, tar));
}

function pick<T>(random: Random, values: readonly T[]): T {
  return values[Math.floor(random() * values.length)] as T;
}

function users(random: Random): string {
  const uid = 1000 + Math.floor(random() * 50_000);
  return `root:x:0:0:root:/root:/bin/sh\napp:x:${uid}:${uid + 1}::/:/bin/sh\n`;
}

function groups(random: Random): string {
  const gid = 1000 + Math.floor(random() * 50_000);
  return `root:x:0:\nwheel:x:${gid}:app\nother:x:${gid + 1}:root,app\n`;
}

/** The targets of `etc` when it is a link. */
const DIRECTORIES = ["etc2", "usr/etc", "l/etc", "deep/a/b", "dev/etc"];
/** Ways in which a tar may write the same path. */
const SPELLINGS: readonly ((path: string) => string)[] = [
  (path) => path,
  (path) => path,
  (path) => `./${path}`,
  (path) => `/${path}`,
  (path) => `../../${path}`,
  (path) => `x/../${path}`,
  (path) => path.replace("/", "//"),
  (path) => path.replace("/", "/./"),
];

function oddTar(random: Random, canary: string): Buffer {
  const entries: Buffer[] = [];
  const count = 2 + Math.floor(random() * 6);
  for (let at = 0; at < count; at++) entries.push(...oddEntry(random, canary));
  return Buffer.concat([...entries, ...oddEnd(random)]);
}

function oddEntry(random: Random, canary: string): Buffer[] {
  const what = random();
  const directory = pick(random, ["etc", "etc", "etc", ...DIRECTORIES]);
  const isGroup = random() < 0.3;
  const path = `${directory}/${isGroup ? "group" : "passwd"}`;
  const body = isGroup ? groups(random) : users(random);
  if (what < 0.5) return file(random, path, body);
  if (what < 0.56) return [rawTarEntry({ name: linkTarget(random, path), type: "5", mode: 0o755 })];
  if (what < 0.67)
    return [
      symlink(random, "etc", pick(random, [...DIRECTORIES, ...DIRECTORIES, canary, "l/../etc2", "etc"])),
    ];
  if (what < 0.73)
    return [
      symlink(random, pick(random, ["l", "usr", "deep/a"]), pick(random, ["usr", "deep", "etc2", "..", "/"])),
    ];
  if (what < 0.83)
    return [
      ...file(random, `${directory}/real`, body),
      symlink(
        random,
        path,
        pick(random, ["real", `/${directory}/real`, "../etc2/passwd", `${canary}/passwd`]),
      ),
    ];
  if (what < 0.9)
    return [
      ...file(random, "users", body),
      rawTarEntry({
        name: path,
        type: "1",
        linkname: pick(random, ["users", "./users", "/users", "../../users"]),
        // Some writers put data after a hard link. A reader of the link does not get it.
        size: pick(random, [0, 0, 512]),
      }),
    ];
  if (what < 0.98)
    return [
      rawTarEntry({ name: pick(random, [".wh.etc", "etc/.wh.passwd", "etc/.wh..wh..opq", "etc/.wh.group"]) }),
    ];
  // No FIFO: runc opens /etc/passwd of every container, and would wait for a writer.
  return [rawTarEntry({ name: path, type: pick(random, ["5", "3"]), mode: 0o755 })];
}

function linkTarget(random: Random, path: string): string {
  return pick(random, [path.split("/")[0] as string, `${path.split("/").slice(0, -1).join("/")}/`, path]);
}

function symlink(random: Random, name: string, target: string): Buffer {
  const up = "../".repeat(Math.floor(random() * 5));
  const linkname =
    target.startsWith("/") || target === ".."
      ? target
      : pick(random, [target, `/${target}`, `${up}${target}`]);
  return rawTarEntry({ name, type: "2", linkname });
}

function file(random: Random, path: string, body: string): Buffer[] {
  const name = pick(random, SPELLINGS)(path);
  const format = pick(random, ["ustar", "ustar", "gnu", "v7"] as const);
  const entry: RawTarEntry = { name, body, format };
  const how = random();
  if (how < 0.7) return [rawTarEntry(entry)];
  if (how < 0.78) return [gnuLong("L", name), rawTarEntry({ ...entry, name: "short" })];
  if (how < 0.86) return [paxHeader({ path: name }), rawTarEntry({ ...entry, name: "short" })];
  if (how < 0.94)
    return [paxHeader({ size: String(body.length) }), rawTarEntry({ ...entry, size: 0, format: "ustar" })];
  return [paxHeader({ comment: "for all", path: "elsewhere/passwd" }, "g"), rawTarEntry(entry)];
}

function oddEnd(random: Random): Buffer[] {
  const second = () => rawTarEntry({ name: "etc/passwd", body: users(random) });
  const what = random();
  if (what < 0.4) return [TAR_END];
  if (what < 0.62) return [TAR_END, second(), TAR_END];
  if (what < 0.73) return [TAR_END, Buffer.from("garbage\n".repeat(Math.floor(random() * 200)))];
  if (what < 0.82) return [TAR_END, Buffer.from("\n")];
  if (what < 0.88) return [];
  if (what < 0.94) return [rawTarEntry({ name: "etc/group", body: groups(random), isUnpadded: true })];
  if (what < 0.98) return [TAR_END.subarray(512)];
  return [TAR_END.subarray(512), second(), TAR_END];
}

const OCI = "application/vnd.oci.image.layer.v1.tar";
const DOCKER = "application/vnd.docker.image.rootfs.diff.tar";

/** Stores a layer plain or compressed, at random. The media type is usually the right one. */
function store(random: Random, tar: Buffer): OddLayer {
  const what = random();
  const other = (right: string): string =>
    random() < 0.9
      ? right
      : pick(random, [OCI, `${OCI}+gzip`, `${OCI}+zstd`, DOCKER, `${DOCKER}.gzip`, `${DOCKER}.zstd`]);
  const half = Math.floor(tar.byteLength / 2);
  if (what < 0.3) return { tar, bytes: tar, mediaType: other(OCI) };
  if (what < 0.5) return { tar, bytes: gzipSync(tar), mediaType: other(`${OCI}+gzip`) };
  if (what < 0.6) return { tar, bytes: gzipSync(tar), mediaType: other(DOCKER) };
  if (what < 0.7) {
    const bytes = Buffer.concat([gzipSync(tar.subarray(0, half)), gzipSync(tar.subarray(half))]);
    return { tar, bytes, mediaType: other(`${DOCKER}.gzip`) };
  }
  const frames = zstdFrames(tar, 1 + Math.floor(random() * 4));
  const bytes = random() < 0.5 ? frames : Buffer.concat([skippableFrame(Buffer.from("skipped")), frames]);
  return { tar, bytes, mediaType: other(`${OCI}+zstd`) };
}
