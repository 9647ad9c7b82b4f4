import type { Client, Mount } from "@wfe-containerd/client";
import { ExecutorError } from "../error.js";
import type { HostUser } from "../resources/inject-secrets.js";
import { unpackAt } from "../resources/unpack-archive.js";

/** Who may write into the directory: its owner, or every user, also into the files of the others. */
export type VolumeAccess = "owner" | "everyone";

/**
 * A default ACL (u::rwx, g::rwx, o::rwx), in the bytes of the kernel's posix_acl_xattr.h. A file that is made
 * in such a directory, or in one below it, gets the mode that its program asked for: the umask does not take
 * anything away from it. Ids are ignored in these entries. All bytes are ASCII, as a pax record needs it.
 */
const DEFAULT_ACL = [0x01, 0x04, 0x20].reduce(
  (acl, tag) => acl + String.fromCharCode(tag, 0, 7, 0, 0, 0, 0, 0),
  String.fromCharCode(2, 0, 0, 0),
);

/** @returns the path on the daemon's machine of a snapshot without a parent. */
export function directoryOf(client: Client, mounts: readonly Mount[]): string {
  const [mount] = mounts;
  if (mounts.length === 1 && mount?.type === "bind") return mount.source;
  throw new ExecutorError(
    `the snapshotter ${client.snapshotter} cannot make volumes; allowed: overlayfs, native`,
    { kind: "invalid-argument" },
  );
}

/**
 * Makes a user the owner of a volume's directory. Unpacked in its parent, because an archive cannot set the
 * owner of the directory that it is unpacked in.
 *
 * @param below a path in the directory, which gets the same owner. Only for a directory that is empty.
 */
export async function chownDirectory(
  client: Client,
  path: string,
  { uid, gid }: HostUser,
  {
    access = "owner",
    below = "",
  }: { readonly access?: VolumeAccess; readonly below?: string | undefined } = {},
): Promise<void> {
  const at = path.lastIndexOf("/");
  const parts = [path.slice(at + 1), ...below.split("/").filter((part) => part !== "")];
  const mode = access === "owner" ? 0o755 : 0o777;
  const xattrs = access === "owner" ? {} : { xattrs: { "system.posix_acl_default": DEFAULT_ACL } };
  await unpackAt(
    client,
    path.slice(0, at),
    parts.map((_, depth) => ({
      type: "directory",
      name: parts.slice(0, depth + 1).join("/"),
      mode,
      uid,
      gid,
      ...xattrs,
    })),
  );
}
