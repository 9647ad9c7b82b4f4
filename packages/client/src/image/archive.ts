import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { extract } from "tar-stream";
import { createByteReader } from "../byte-reader.js";
import type { Content } from "../content/content.js";
import { ContainerdError } from "../error.js";
import { MAX_DOCUMENT_BYTES } from "../oci/manifest.js";
import { refuse } from "../refuse.js";
import { isZstd, unzstd } from "../zstd.js";
import { untilTarEnd } from "./tar-end.js";
import { atMost } from "./unpack-limit.js";

/** A blob of an archive, after it was written to the content store. */
export interface ArchiveBlob {
  readonly digest: string;
  readonly size: number;
  readonly compression: "gzip" | "zstd" | "none";
}

export interface Archive {
  /** Small files that are read into memory: `index.json`, `manifest.json` and the like. */
  readonly documents: ReadonlyMap<string, Buffer>;
  /** Key: the path in the archive. */
  readonly blobs: ReadonlyMap<string, ArchiveBlob>;
}

/** The progress of an import. */
export interface ImportProgress {
  /** The blob's digest. Before the digest is known, its name in the archive. */
  readonly what: string;
  readonly state: "writing" | "done" | "unpacked" | "exists";
  /** Bytes. */
  readonly offset: number;
  readonly total: number;
}

export interface ReadArchiveOptions {
  /** Largest size of the archive in bytes, after decompression of the archive as a whole. */
  readonly maxBytes: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: ImportProgress) => void) | undefined;
}

const DOCUMENTS = new Set(["index.json", "manifest.json", "oci-layout", "repositories"]);
const BLOB_PATH = /^blobs\/(sha256|sha512)\/([0-9a-f]+)$/;

/** Reads an image archive in one pass. Each blob goes straight into the content store, in any order. */
export async function readArchive(
  content: Content,
  refPrefix: string,
  source: AsyncIterable<Uint8Array>,
  { maxBytes, signal, onProgress }: ReadArchiveOptions,
): Promise<Archive> {
  const documents = new Map<string, Buffer>();
  const blobs = new Map<string, ArchiveBlob>();
  const links = new Map<string, string>();
  // Old tars, from before POSIX, have a checksum but no magic number. The option is missing in the package's
  // types.
  const options: object = { allowUnknownFormat: true };
  const tar = extract(options);
  const feed = Readable.from(untilTarEnd(atMost(decompress(source), maxBytes))).on("error", (error) =>
    tar.destroy(error),
  );
  feed.pipe(tar);
  // An abort must work even if the source gives no more bytes.
  const stop = (): void => void tar.destroy(signal?.reason as Error);
  signal?.addEventListener("abort", stop, { once: true });
  try {
    signal?.throwIfAborted();
    for await (const entry of tar) {
      const { type, size = 0, linkname } = entry.header;
      const path = checkPath(entry.header.name);
      if (type === "file" || type === "contiguous-file") {
        if (documents.has(path) || blobs.has(path)) refuseEntry(path, "occurs twice", "each path once");
        if (DOCUMENTS.has(path))
          documents.set(path, await readWhole(path, size, entry as AsyncIterable<Uint8Array>));
        else
          blobs.set(
            path,
            await writeBlob(
              content,
              `${refPrefix}-${blobs.size}`,
              path,
              size,
              entry as AsyncIterable<Uint8Array>,
              { signal, onProgress },
            ),
          );
      } else if ((type === "symlink" || type === "link") && typeof linkname === "string") {
        // Older versions of docker save write a link for a layer that two images share.
        links.set(path, resolveLink(path, linkname, type === "symlink"));
        entry.resume();
      } else {
        if (type !== "directory") refuseEntry(path, `is a ${type}`, "files, directories and links");
        entry.resume();
      }
    }
  } catch (reason) {
    feed.destroy();
    signal?.throwIfAborted();
    if (reason instanceof ContainerdError) throw reason;
    return refuse(`the archive cannot be read: ${(reason as Error).message}`, undefined, reason);
  } finally {
    signal?.removeEventListener("abort", stop);
  }
  for (const [path, target] of links) {
    const blob = blobs.get(target);
    if (blob !== undefined) blobs.set(path, blob);
  }
  return { documents, blobs };
}

async function writeBlob(
  content: Content,
  ref: string,
  path: string,
  size: number,
  source: AsyncIterable<Uint8Array>,
  { signal, onProgress }: Omit<ReadArchiveOptions, "maxBytes">,
): Promise<ArchiveBlob> {
  const match = BLOB_PATH.exec(path);
  const claimed = match === null ? undefined : `${match[1]}:${match[2]}`;
  const hash = createHash("sha256");
  let head: Uint8Array = new Uint8Array(0);
  async function* watch(): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      if (head.byteLength < HEAD_BYTES) head = Buffer.concat([head, chunk.subarray(0, HEAD_BYTES)]);
      hash.update(chunk);
      yield chunk;
    }
  }
  const what = claimed ?? path;
  // We do not tell the daemon the digest. If it had the blob already, it would end the stream, but the
  // archive must be read on.
  const written = await content
    .write(
      {
        ref,
        size,
        signal,
        onProgress: (offset) => onProgress?.({ what, state: "writing", offset, total: size }),
      },
      watch(),
    )
    .catch((reason: unknown) => {
      if (reason instanceof ContainerdError && reason.kind === "already-exists") return undefined;
      throw reason;
    });
  const digest = written?.digest ?? `sha256:${hash.digest("hex")}`;
  if (claimed?.startsWith("sha256:") === true && claimed !== digest)
    refuseEntry(path, `has the digest ${digest}`, "the digest in its name");
  onProgress?.({ what: digest, state: "done", offset: size, total: size });
  return { digest, size, compression: compressionOf(head) };
}

async function readWhole(path: string, size: number, source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  if (size > MAX_DOCUMENT_BYTES) refuseEntry(path, `has ${size} bytes`, `up to ${MAX_DOCUMENT_BYTES} bytes`);
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function checkPath(name: string): string {
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  if (name.startsWith("/") || parts.includes("..") || name.includes("\0"))
    refuseEntry(name, "leads out of the archive", "a relative path without ..");
  return parts.join("/");
}

function resolveLink(path: string, target: string, isSymbolic: boolean): string {
  const base = isSymbolic ? path.split("/").slice(0, -1) : [];
  const parts: string[] = [];
  for (const part of [...base, ...target.split("/")]) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return parts.join("/");
}

/** @param allowed what the entry may be instead. */
function refuseEntry(path: string, problem: string, allowed: string): never {
  return refuse(`the archive's ${JSON.stringify(path.slice(0, 200))} ${problem}`, allowed);
}

/** Enough bytes to recognise every compression. */
const HEAD_BYTES = 6;

function compressionOf(head: Uint8Array): ArchiveBlob["compression"] {
  if (isZstd(head)) return "zstd";
  return head[0] === 0x1f && head[1] === 0x8b ? "gzip" : "none";
}

/** Compressions that we recognise but cannot read: name, command to decompress, first bytes. */
const UNREAD_COMPRESSIONS: readonly (readonly [string, string, readonly number[]])[] = [
  ["xz", "xz -d app.tar.xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ["bzip2", "bzip2 -d app.tar.bz2", [0x42, 0x5a, 0x68]],
  ["lz4", "lz4 -d app.tar.lz4", [0x04, 0x22, 0x4d, 0x18]],
  ["lzip", "lzip -d app.tar.lz", [0x4c, 0x5a, 0x49, 0x50]],
];

/** Decompresses an archive that is compressed as a whole. */
async function* decompress(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = createByteReader(source);
  const head = await reader.read(HEAD_BYTES);
  async function* all(): AsyncGenerator<Uint8Array> {
    yield head;
    yield* reader.pieces();
  }
  for (const [name, example, magic] of UNREAD_COMPRESSIONS)
    if (magic.every((byte, at) => head[at] === byte)) {
      refuse(
        `the archive is compressed with ${name}`,
        `no compression, gzip, zstd; decompress it first, for example: ${example}`,
      );
    }
  const compression = compressionOf(head);
  if (compression === "none") yield* all();
  else if (compression === "zstd") yield* unzstd(all(), "the archive");
  else {
    const unzip = createGunzip();
    // An error reaches the reader through `unzip`.
    pipeline(Readable.from(all()), unzip).catch(() => undefined);
    yield* unzip;
  }
}
