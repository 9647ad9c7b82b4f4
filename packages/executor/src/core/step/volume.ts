import { requireThat } from "../refuse.js";
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
  /** Its first user, `uid:gid`, as the daemon's machine numbers them: whoever finds it half made finishes it alike. */
  owner: "wfe-containerd/volume-owner",
  /** Set when that user has been made its owner. */
  ready: "wfe-containerd/volume-ready",
} as const;

/** Keeps a volume when no step uses it: containerd's garbage collector takes what has neither this nor a user. */
export const GC_ROOT_LABEL = "containerd.io/gc.root";

/** On leases and containers of steps: the names of the volumes that they use, with commas between. */
export const VOLUMES_LABEL = "wfe-containerd/volumes";

/** Of the snapshot: no step's own has a key like it. */
export function volumeKey(name: string): string {
  return `wfe-volume-${name}`;
}

/** Says on a step's lease and container which volumes it uses. */
export function volumesLabel(uses: readonly Pick<VolumeUse, "name">[]): Record<string, string> {
  return uses.length === 0 ? {} : { [VOLUMES_LABEL]: uses.map(({ name }) => name).join(",") };
}

/** Labels by which a container holds the volumes that it uses against garbage collection. Source: containerd's metadata/gc.go. */
export function volumeReferences(
  snapshotter: string,
  uses: readonly Pick<VolumeUse, "name">[],
): Record<string, string> {
  return Object.fromEntries(
    uses.map(({ name }, at) => [
      `containerd.io/gc.ref.snapshot.${snapshotter}/wfe-volume-${at}`,
      volumeKey(name),
    ]),
  );
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
