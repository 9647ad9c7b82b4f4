import { randomUUID } from "node:crypto";
import { type Client, call } from "@wfe-containerd/client";
import { pack } from "tar-stream";
import { unlessGone } from "./acquire.js";

/** A file when it has contents, else a directory; below the place it is unpacked at, without a slash before it. */
export interface ArchiveEntry {
  readonly name: string;
  readonly contents?: Uint8Array;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/**
 * Makes files and directories below a path of the daemon's machine, over containerd's API alone. Links on the way are resolved inside that path; a
 * directory that is there gets the owner and mode.
 *
 * The differ unpacks an archive into what it is told is an overlay's upper directory, and does not ask whether it is one. The archive is
 * content for the moment that this takes, under the client's lease. Source: containerd's diff/apply/apply_linux.go; the same in 1.6, 1.7 and 2.x.
 */
export async function unpackAt(
  leased: Client,
  path: string,
  entries: readonly ArchiveEntry[],
): Promise<void> {
  const archive = await packEntries(entries);
  const ref = `unpack-${randomUUID()}`;
  let digest: string | undefined;
  try {
    const written = await leased.content.write({ ref, size: archive.byteLength }, (offset) =>
      only(archive.subarray(offset)),
    );
    digest = written.digest;
    const mediaType = "application/vnd.oci.image.layer.v1.tar";
    await call(`unpack files at ${path}`, () =>
      leased.services.diff.apply({
        diff: { mediaType, digest: written.digest, size: BigInt(written.size) },
        mounts: [{ type: "overlay", source: "overlay", target: "", options: [`upperdir=${path}`] }],
      }),
    );
  } finally {
    await unlessGone(digest === undefined ? leased.content.abort(ref) : leased.content.delete(digest));
  }
}

async function packEntries(entries: readonly ArchiveEntry[]): Promise<Uint8Array> {
  const archive = pack();
  // Nobody unpacks it. With it each archive is its own content, and a digest from which what is in it cannot be guessed.
  const uname = randomUUID().slice(0, 31);
  for (const { name, contents, mode, uid, gid } of entries) {
    const header = { name, mode, uid, gid, uname, mtime: new Date(0) };
    if (contents === undefined) archive.entry({ ...header, type: "directory" });
    else archive.entry(header, Buffer.from(contents));
  }
  archive.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of archive) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks);
}

async function* only(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
