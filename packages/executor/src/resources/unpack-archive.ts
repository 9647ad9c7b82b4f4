import { randomUUID } from "node:crypto";
import { type Client, callService, type Mount } from "@wfe-containerd/client";
import { pack } from "tar-stream";
import type { ArchiveEntry } from "../core/plan/archive.js";
import { ignoreNotFound } from "../machine/ignore-not-found.js";

interface WireMount {
  type: string;
  source: string;
  target: string;
  options: string[];
}

/**
 * Makes files, directories and links below a path of the daemon's machine, or in a snapshot by its mounts, over containerd's API alone. Links on the way
 * are resolved inside that place; a directory that is there gets the owner and mode.
 *
 * Of a path, the differ unpacks an archive into what it is told is an overlay's upper directory, and does not ask whether it is one. The archive is
 * content for the moment that this takes, under the client's lease. Source: containerd's diff/apply/apply_linux.go; the same in 1.6, 1.7 and 2.x.
 */
export async function unpackAt(
  leased: Client,
  place: string | readonly Mount[],
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
    await callService(`unpack files at ${typeof place === "string" ? place : "the root file system"}`, () =>
      leased.services.diff.apply({
        diff: { mediaType, digest: written.digest, size: BigInt(written.size) },
        mounts: typeof place === "string" ? [asLayer(place)] : place.map(toWire),
      }),
    );
  } finally {
    await ignoreNotFound(digest === undefined ? leased.content.abort(ref) : leased.content.delete(digest));
  }
}

function asLayer(path: string): WireMount {
  return { type: "overlay", source: "overlay", target: "", options: [`upperdir=${path}`] };
}

function toWire({ options, ...mount }: Mount): WireMount {
  return { ...mount, options: [...options] };
}

async function packEntries(entries: readonly ArchiveEntry[]): Promise<Uint8Array> {
  const archive = pack();
  // Nobody unpacks it. With it each archive is its own content, and a digest from which what is in it cannot be guessed.
  const uname = randomUUID().slice(0, 31);
  for (const entry of entries) {
    const { name } = entry;
    const header = { name, uname, mtime: new Date(0) };
    if (entry.type === "symlink") archive.entry({ ...header, type: "symlink", linkname: entry.target });
    else {
      const { type, mode, uid, gid } = entry;
      // The header has room for six octal digits, and tar-stream fills it with sevens for what is more.
      const owner = { uid, gid, pax: { uid: String(uid), gid: String(gid) } };
      if (type === "directory") archive.entry({ ...header, ...owner, type, mode });
      else archive.entry({ ...header, ...owner, mode }, Buffer.from(entry.contents));
    }
  }
  archive.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of archive) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks);
}

async function* only(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
