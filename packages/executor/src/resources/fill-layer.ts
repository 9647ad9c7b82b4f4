import type { Client, Mount } from "@wfe-containerd/client";
import type { StepPlan } from "../core/plan/plan.js";
import { writeToLayer } from "./local-files.js";
import { unpackAt } from "./unpack-archive.js";

/**
 * Writes the step's own files into its layer; most steps have none. If `/etc` of the image is a link, it
 * stays a link. A link on the way to a secret must not stay.
 *
 * @param isLocal whether the daemon is on this machine, and sees the same files as this process.
 */
export async function fillLayer(
  leased: Client,
  mounts: readonly Mount[],
  { rootfs, nameFiles }: Pick<StepPlan, "rootfs" | "nameFiles">,
  isLocal: boolean,
): Promise<void> {
  const all = [...rootfs, ...nameFiles];
  if (all.length === 0 || (isLocal && (await writeToLayer(mounts, all)))) return;
  const hasSecrets = rootfs.some(({ type }) => type === "symlink");
  if (hasSecrets) await unpackAt(leased, mounts, rootfs);
  const rest = hasSecrets ? [] : rootfs;
  await unpackAt(leased, mounts, [...rest, ...nameFiles], { followLinks: true });
}
