import { randomUUID } from "node:crypto";
import { type Client, isContainerdError, type Mount } from "@wfe-containerd/client";
import { callService, ignoreNotFound } from "@wfe-containerd/client/internal";
import { pack } from "tar-stream";
import type { ArchiveEntry } from "../core/plan/archive.js";

interface WireMount {
  type: string;
  source: string;
  target: string;
  options: string[];
}

export interface UnpackOptions {
  /**
   * If true, a link of the image on the way to an entry is followed, inside the image's root. Otherwise a
   * directory takes the link's place. Only for a snapshot that no container has mounted yet.
   *
   * @default false
   */
  readonly followLinks?: boolean;
}

/**
 * Makes files, directories and links, over containerd's API alone. `place` is a path on the daemon's machine,
 * or the mounts of a snapshot. Links in the place are resolved inside it. An existing directory gets the
 * owner and mode of its entry.
 *
 * To unpack at a path, we pass it to the differ as the upper directory of an overlay; the differ does not
 * check that it is one. The archive is stored as content for a moment, protected by the client's lease.
 * Source: containerd's diff/apply/apply_linux.go; the same in 1.6, 1.7 and 2.x.
 */
export async function unpackAt(
  leased: Client,
  place: string | readonly Mount[],
  entries: readonly ArchiveEntry[],
  { followLinks = false }: UnpackOptions = {},
): Promise<void> {
  if (entries.length === 0) return;
  const archive = await packEntries(entries);
  await unpackContent(leased, place, followLinks, async (ref) => {
    const write = () =>
      leased.content.write({ ref, size: archive.byteLength }, (offset) => only(archive.subarray(offset)));
    return write().catch((reason: unknown) => {
      // A daemon that was killed may have lost what it had. We have it all.
      if (!isContainerdError(reason, "data-loss")) throw reason;
      return write();
    });
  });
}

/**
 * Unpacks an archive that is made while it is sent: see {@link unpackAt}.
 *
 * @param around called when the daemon has the archive. It runs the unpacking, at a good moment.
 */
export async function unpackStream(
  leased: Client,
  place: string,
  archive: AsyncIterable<Uint8Array>,
  around: (unpack: () => Promise<void>) => Promise<void>,
): Promise<void> {
  await unpackContent(leased, place, false, (ref) => leased.content.write({ ref }, archive), around);
}

async function unpackContent(
  leased: Client,
  place: string | readonly Mount[],
  followLinks: boolean,
  write: (ref: string) => Promise<{ readonly digest: string; readonly size: number }>,
  around: (unpack: () => Promise<void>) => Promise<void> = (unpack) => unpack(),
): Promise<void> {
  const ref = `unpack-${randomUUID()}`;
  let digest: string | undefined;
  try {
    const written = await write(ref);
    digest = written.digest;
    const mediaType = "application/vnd.oci.image.layer.v1.tar";
    await around(async () => {
      await callService(`unpack files at ${typeof place === "string" ? place : "the root file system"}`, () =>
        leased.services.diff.apply({
          diff: { mediaType, digest: written.digest, size: BigInt(written.size) },
          mounts: typeof place === "string" ? [asLayer(place)] : wireMounts(place, followLinks),
        }),
      );
    });
  } finally {
    await ignoreNotFound(digest === undefined ? leased.content.abort(ref) : leased.content.delete(digest));
  }
}

function asLayer(path: string): WireMount {
  return { type: "overlay", source: "overlay", target: "", options: [`upperdir=${path}`] };
}

/**
 * If the differ gets a single overlay, it unpacks into the upper directory, where the image's links do not
 * exist. So `followLinks` gives it another mount below. Source: containerd's diff/apply/apply_linux.go.
 */
function wireMounts(mounts: readonly Mount[], followLinks: boolean): WireMount[] {
  const wire = mounts.map(toWire);
  const [only] = wire;
  if (!followLinks || wire.length !== 1 || only?.type !== "overlay") return wire;
  const below: WireMount = { type: "tmpfs", source: "tmpfs", target: "", options: [] };
  // Linux does not mount an upper directory again that was mounted with this option.
  return [below, { ...only, options: only.options.filter((option) => option !== "volatile") }];
}

function toWire({ options, ...mount }: Mount): WireMount {
  return { ...mount, options: [...options] };
}

async function packEntries(entries: readonly ArchiveEntry[]): Promise<Uint8Array> {
  const archive = pack();
  // A random name that the differ ignores. It makes each archive unique, so that nobody can guess the
  // contents from the digest.
  const uname = randomUUID().slice(0, 31);
  for (const entry of entries) {
    const { name } = entry;
    const header = { name, uname, mtime: new Date(0) };
    if (entry.type === "symlink") archive.entry({ ...header, type: "symlink", linkname: entry.target });
    else {
      const { type, mode, uid, gid } = entry;
      // The header has six octal digits for an id, and tar-stream writes sevens for a larger one. So the id
      // is also in a pax header.
      const xattrs = Object.entries((entry.type === "directory" ? entry.xattrs : undefined) ?? {});
      const pax = Object.fromEntries(xattrs.map(([key, value]) => [`SCHILY.xattr.${key}`, value]));
      const owner = { uid, gid, pax: { uid: String(uid), gid: String(gid), ...pax } };
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
