import { stat } from "node:fs/promises";
import type { UnwritableVolume } from "../core/output/find-warnings.js";
import type { StepPlan } from "../core/plan/plan.js";
import type { Machine } from "../machine/machine.js";

/** The ids of the step's process on the daemon's machine. */
export interface VolumeUser {
  readonly uid: number;
  readonly gids: readonly number[];
}

/**
 * Finds the volumes that the step's user may not write to, by the owners and modes of their sources. This
 * works only for a daemon on this machine. A source that cannot be read is not reported.
 */
export async function findUnwritable(
  { facts }: Machine,
  { container: { spec }, mountFields }: StepPlan,
  user: VolumeUser,
): Promise<UnwritableVolume[]> {
  if (
    facts.locality !== "local" ||
    spec.process.capabilities?.effective?.includes("CAP_DAC_OVERRIDE") === true
  )
    return [];
  const writable = spec.mounts.filter(
    ({ type, destination, options = [] }) =>
      type === "bind" && options.includes("rw") && Object.hasOwn(mountFields, destination),
  );
  const found = await Promise.all(
    writable.map(async ({ source = "", destination }): Promise<UnwritableVolume | undefined> => {
      const stats = await stat(source).catch(() => undefined);
      if (stats === undefined || mayWrite(stats, user)) return undefined;
      return {
        field: mountFields[destination] ?? "volumes",
        source,
        target: destination,
        owner: `${stats.uid}:${stats.gid}`,
        mode: (stats.mode & 0o7777).toString(8),
      };
    }),
  );
  return found.filter((volume) => volume !== undefined);
}

/**
 * The kernel checks only the first class that matches the user: owner, group, others. Source:
 * path_resolution(7).
 */
function mayWrite(
  stats: { readonly mode: number; readonly uid: number; readonly gid: number; isDirectory(): boolean },
  { uid, gids }: VolumeUser,
): boolean {
  const shift = stats.uid === uid ? 6 : gids.includes(stats.gid) ? 3 : 0;
  const needed = stats.isDirectory() ? 0o3 : 0o2;
  return ((stats.mode >> shift) & needed) === needed;
}
