import { randomUUID } from "node:crypto";
import type { Client } from "@wfe-containerd/client";
import { call } from "@wfe-containerd/client";
import { pack } from "tar-stream";
import type { Secret } from "../core/secret.js";
import type { ProcessUser } from "../core/spec/user.js";
import { unlessGone } from "./acquire.js";
import type { Release } from "./release.js";

/** Who the files belong to, as the daemon's machine numbers users. */
export type HostUser = Pick<ProcessUser, "uid" | "gid">;

/**
 * Writes a step's secrets into the file systems in memory that its container has for them, over containerd's API alone, so that it works wherever
 * the daemon is.
 *
 * The task is created and not started: its mounts are there, and nothing runs that could put a link in the way. The daemon's differ unpacks an
 * archive into what it is told is an overlay's upper directory, resolving links inside of it; here that is the container's root, as the
 * kernel shows it by the process. The archive is content for the moment that this takes, on the daemon's disk and under the step's lease.
 * Source: containerd's core/diff/apply/apply_linux.go, the same in 1.6, 1.7 and 2.x.
 */
export async function giveSecrets(
  client: Client,
  { id, pid }: { readonly id: string; readonly pid: number },
  secrets: readonly Secret[],
  user: HostUser,
  release: Release,
): Promise<void> {
  if (secrets.length === 0) return;
  const archive = await packSecrets(secrets, user);
  const leased = client.with({ leaseId: id });
  const ref = `${id}-${randomUUID()}`;
  let digest: string | undefined;
  const remove = async (): Promise<void> => {
    if (digest === undefined) return;
    await unlessGone(client.content.delete(digest));
    digest = undefined;
    // A deletion takes the record; the blob itself is on the disk until the garbage is collected.
    await client.leases.collectGarbage();
  };
  // What is written and not committed.
  release.add("the step's secrets, on their way", async () => {
    await unlessGone(leased.content.abort(ref));
    await remove();
  });
  const written = await leased.content.write({ ref, size: archive.byteLength }, (offset) =>
    only(archive.subarray(offset)),
  );
  digest = written.digest;
  try {
    await call("give the step its secrets", () =>
      leased.services.diff.apply({
        diff: {
          mediaType: "application/vnd.oci.image.layer.v1.tar",
          digest: written.digest,
          size: BigInt(written.size),
        },
        mounts: [{ type: "overlay", source: "overlay", target: "", options: [`upperdir=/proc/${pid}/root`] }],
      }),
    );
  } finally {
    await remove();
  }
}

/** Owner read: 0400. */
const FILE_MODE = 0o400;

async function packSecrets(secrets: readonly Secret[], { uid, gid }: HostUser): Promise<Uint8Array> {
  const archive = pack();
  // Nobody unpacks it. Without it, the archive's digest would be one that a secret can be guessed by.
  const uname = randomUUID().slice(0, 31);
  for (const { target, value } of secrets) {
    const name = target.slice(1);
    archive.entry({ name, mode: FILE_MODE, uid, gid, uname, mtime: new Date(0) }, Buffer.from(value));
  }
  archive.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of archive) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks);
}

async function* only(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
