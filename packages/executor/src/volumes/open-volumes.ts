import { type Client, isContainerdError, type Mount } from "@wfe-containerd/client";
import { ignoreNotFound } from "@wfe-containerd/client/internal";
import { refuse } from "../core/refuse.js";
import type { StepMount } from "../core/spec/mounts.js";
import { GC_ROOT_LABEL, VOLUME_LABELS, type VolumeUse, volumeKey } from "../core/step/volume.js";
import type { HostUser } from "../resources/inject-secrets.js";
import { chownDirectory, directoryOf } from "./volume-directory.js";
import { enterWorkspace } from "./workspace.js";

/**
 * Returns the mounts of a step's volumes. Makes the volumes that do not exist yet.
 *
 * A volume is a snapshot without a parent: a directory that containerd makes, keeps and removes. We never
 * remove one directly. To remove one, its root label is taken off. The daemon's garbage collector then
 * removes it, unless a lease or a container uses it. The collector decides for all clients. So a step first
 * leases a volume, and then checks that it exists.
 *
 * @param leased protects the volumes until the container's own labels do.
 * @param user owner of the volumes that are made now.
 */
export async function openVolumes(
  leased: Client,
  id: string,
  uses: readonly VolumeUse[],
  user: HostUser,
): Promise<StepMount[]> {
  const mounts: StepMount[] = [];
  for (const use of uses) {
    const { kind, target, readonly, noexec } = use;
    const open = kind === "workspace" ? enterWorkspace : openVolume;
    mounts.push({
      type: "bind",
      source: await open(leased, id, use, user),
      target,
      readonly,
      noexec,
    });
  }
  return mounts;
}

async function openVolume(client: Client, leaseId: string, use: VolumeUse, user: HostUser): Promise<string> {
  const key = volumeKey(use.name);
  await client.leases.addResource(leaseId, { type: `snapshots/${client.snapshotter}`, id: key });
  for (;;) {
    const mounts = await findOrMake(client, key, use, user);
    const snapshot = await ignoreNotFound(client.snapshots.stat(key));
    if (snapshot === undefined) continue;
    const kind = snapshot.labels[VOLUME_LABELS.kind];
    if (kind !== use.kind) {
      refuse(
        use.kind === "cache" ? "caches" : "volumes",
        `${JSON.stringify(use.name)} is a ${kind}, not a ${use.kind}`,
        `the name of a ${use.kind}, or a new name`,
      );
    }
    const source = directoryOf(client, mounts);
    // Two steps that make a volume at the same time both come here, and set the same owner.
    if (snapshot.labels[VOLUME_LABELS.ready] === undefined)
      await chownDirectory(client, source, firstUser(snapshot.labels[VOLUME_LABELS.owner], user));
    await client.snapshots.setLabels(key, {
      // Another client may be removing the volume. This label keeps it.
      [GC_ROOT_LABEL]: new Date().toISOString(),
      [VOLUME_LABELS.ready]: "yes",
      [VOLUME_LABELS.used]: new Date().toISOString(),
    });
    return source;
  }
}

function firstUser(label: string | undefined, user: HostUser): HostUser {
  const [, uid, gid] = /^(\d+):(\d+)$/.exec(label ?? "") ?? [];
  return uid === undefined || gid === undefined ? user : { uid: Number(uid), gid: Number(gid) };
}

async function findOrMake(
  client: Client,
  key: string,
  { name, kind }: VolumeUse,
  { uid, gid }: HostUser,
): Promise<Mount[]> {
  const labels = {
    [VOLUME_LABELS.name]: name,
    [VOLUME_LABELS.kind]: kind,
    [VOLUME_LABELS.owner]: `${uid}:${gid}`,
    // Keeps the volume when no lease and no container uses it.
    [GC_ROOT_LABEL]: new Date().toISOString(),
  };
  for (;;) {
    const existing = await ignoreNotFound(client.snapshots.mounts(key));
    if (existing !== undefined) return existing;
    try {
      return await client.snapshots.prepare(key, "", { labels });
    } catch (reason) {
      if (!isContainerdError(reason, "already-exists")) throw reason;
    }
  }
}
