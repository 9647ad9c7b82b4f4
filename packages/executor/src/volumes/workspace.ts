import { randomUUID } from "node:crypto";
import type { Client } from "@wfe-containerd/client";
import { currentOwner, ignoreNotFound } from "@wfe-containerd/client/internal";
import { LABELS } from "../core/plan/labels.js";
import { refuse } from "../core/refuse.js";
import { VOLUME_LABELS, type VolumeUse, volumeKey } from "../core/step/volume.js";
import { checkOptions } from "../options.js";
import type { HostUser } from "../resources/inject-secrets.js";
import { chownDirectory, directoryOf } from "./volume-directory.js";

/** A directory on the daemon's machine that the steps of one run share. */
export interface Workspace extends AsyncDisposable {
  /** Name of the volume that steps mount: `volumes: [{ source: workspace.name, target: "/work" }]`. */
  readonly name: string;
  /**
   * Removes the directory and everything in it. A step that still uses it keeps it until it has ended.
   *
   * @throws ContainerdError if the daemon cannot be asked. After the end of this process, `reap` removes it.
   */
  close(): Promise<void>;
}

/** Options of {@link openWorkspace}. */
export interface WorkspaceOptions {
  /**
   * Whether steps of different users share it. Then each may write into it and change the files of the
   * others, unless the file system of the daemon has no ACLs: the umask has no effect in it.
   *
   * @default false: only the user of the last step that began to use it may write
   */
  readonly shared?: boolean | undefined;
}

/** Longer than a run takes. Then what a process on a vanished machine has left may be collected. */
const LEASE_MS = 7 * 24 * 60 * 60 * 1000;
/** How long its removal may take, in milliseconds: it waits for a collection of garbage. */
const CLOSE_MS = 30_000;

/**
 * Makes a directory that steps share as a volume, also on a remote daemon. No policy has to allow it: a step
 * can only have it from who opened it. It belongs to the user of the step that began to use it last.
 *
 * It is a snapshot without a parent, on a lease that names this process as its owner. So `reap` removes what
 * a dead process has left.
 *
 * @throws ContainerdError if it cannot be made.
 * @example
 * ```ts
 * await using workspace = await openWorkspace(client);
 * const volumes = [{ source: workspace.name, target: "/work" }];
 * await executor.run({ name: "write", image: "alpine", volumes, run: "echo hello > /work/greeting" });
 * await executor.run({ name: "read", image: "alpine", volumes, run: "cat /work/greeting" });
 * ```
 */
export async function openWorkspace(client: Client, options: WorkspaceOptions = {}): Promise<Workspace> {
  checkOptions("openWorkspace", options, { shared: true });
  const name = `workspace-${randomUUID().replaceAll("-", "")}`;
  const owner = await currentOwner();
  const lease = await client.leases.create({
    id: name,
    expireMs: LEASE_MS,
    labels: { [LABELS.owner]: owner },
  });
  const close = (): Promise<void> => lease.delete({ sync: true, timeoutMs: CLOSE_MS });
  try {
    const labels = {
      [VOLUME_LABELS.kind]: "workspace",
      ...(options.shared === true && { [VOLUME_LABELS.shared]: "yes" }),
    };
    const mounts = await client
      .with({ leaseId: lease.id })
      .snapshots.prepare(volumeKey(name), "", { labels });
    // Better now than at the first step.
    directoryOf(client, mounts);
  } catch (reason) {
    await close().catch(() => undefined);
    throw reason;
  }
  return { name, close, [Symbol.asyncDispose]: close };
}

/**
 * Makes a step's user the owner of a workspace.
 *
 * @returns the directory on the daemon's machine.
 */
export async function enterWorkspace(
  client: Client,
  leaseId: string,
  { name, workingDir }: Pick<VolumeUse, "name" | "workingDir">,
  { uid, gid }: HostUser,
): Promise<string> {
  const key = volumeKey(name);
  // The step keeps it, also if it is closed meanwhile.
  await client.leases.addResource(leaseId, { type: `snapshots/${client.snapshotter}`, id: key });
  const snapshot = await ignoreNotFound(client.snapshots.stat(key));
  if (snapshot === undefined)
    refuse("volumes", `the workspace ${name} does not exist on this daemon`, "a workspace that is open");
  const path = directoryOf(client, await client.snapshots.mounts(key));
  const { [VOLUME_LABELS.owner]: last, [VOLUME_LABELS.shared]: shared } = snapshot.labels;
  const owner = `${uid}:${gid}`;
  if (last === owner) return path;
  // While it is empty, the working directory in it can be made, too. Later, a link may be in its place.
  await chownDirectory(
    client,
    path,
    { uid, gid },
    {
      access: shared === undefined ? "owner" : "everyone",
      below: last === undefined ? workingDir : undefined,
    },
  );
  await client.snapshots.setLabels(key, { [VOLUME_LABELS.owner]: owner });
  return path;
}
