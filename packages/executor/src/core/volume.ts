import { requireThat } from "./refuse.js";
import type { StepConfig } from "./step.js";

/** `volume`: stays until somebody removes it. `cache`: may go whenever no step uses it. */
export type VolumeKind = "volume" | "cache";

/** Labels of the snapshots that volumes are. */
export const VOLUME_LABELS = {
  /** Its name. */
  name: "wfe-containerd/volume",
  kind: "wfe-containerd/volume-kind",
  /** When a step began to use it, last: ISO 8601. */
  used: "wfe-containerd/volume-used",
  /** Set when its first user has been made its owner. */
  ready: "wfe-containerd/volume-ready",
  /** Since when somebody is about to remove it. */
  removing: "wfe-containerd/volume-removing",
} as const;

/** On leases and containers of steps: the names of the volumes that they use, with commas between. */
export const VOLUMES_LABEL = "wfe-containerd/volumes";

/** Of the snapshot: no step's own has a key like it. */
export function volumeKey(name: string): string {
  return `wfe-volume-${name}`;
}

/** Of the lease by which a step says which volumes it uses. */
export function volumesLeaseId(stepId: string): string {
  return `${stepId}-volumes`;
}

/** A volume that a step mounts. */
export interface VolumeUse {
  readonly name: string;
  readonly kind: VolumeKind;
  readonly target: string;
  readonly readonly: boolean;
  readonly noexec?: boolean | undefined;
}

/** @throws ExecutorError `refused` for a name that is used as a volume and as a cache. */
export function volumeUses({ namedVolumes, caches }: StepConfig): VolumeUse[] {
  const names = new Set(namedVolumes.map(({ name }) => name));
  for (const { name } of caches)
    requireThat(!names.has(name), "caches", `${name} is a volume as well`, "names of their own");
  return [
    ...namedVolumes.map((volume): VolumeUse => ({ ...volume, kind: "volume" })),
    ...caches.map((cache): VolumeUse => ({ ...cache, kind: "cache", readonly: false })),
  ];
}
