import { requireThat } from "../refuse.js";
import { isWithin, normalPath } from "../units/path.js";
import type { StepConfig } from "./step.js";

/** `volume`: stays until it is removed. `cache`: may be deleted whenever no step uses it. */
export type VolumeKind = "volume" | "cache";

/** A name that is only given by `openWorkspace`, and that nobody can guess. */
const WORKSPACE_NAME = /^workspace-[0-9a-f]{32}$/;

/** Whether a volume's name is that of a workspace: a directory that steps of one run share. */
export function isWorkspace(name: string): boolean {
  return WORKSPACE_NAME.test(name);
}

/** Labels of the snapshots that contain volumes and workspaces. */
export const VOLUME_LABELS = {
  /** Name of the volume. A workspace does not have it, so that it is not listed as a volume. */
  name: "wfe-containerd/volume",
  kind: "wfe-containerd/volume-kind",
  /** When a step last began to use it, in ISO 8601. */
  used: "wfe-containerd/volume-used",
  /**
   * Its first user, `uid:gid` on the daemon's machine. A step that finds the volume half made finishes it for
   * this user. Of a workspace, the last user.
   */
  owner: "wfe-containerd/volume-owner",
  /** Set once that user is its owner. */
  ready: "wfe-containerd/volume-ready",
  /** On a workspace in which each user may change the files of the others. */
  shared: "wfe-containerd/workspace-shared",
} as const;

/**
 * Keeps a volume that no step uses. containerd's garbage collector deletes a volume that has neither this
 * label nor a user.
 */
export const GC_ROOT_LABEL = "containerd.io/gc.root";

/** On leases and containers of steps: the names of the volumes that they use, separated by commas. */
export const VOLUMES_LABEL = "wfe-containerd/volumes";

/** Returns the key of a volume's snapshot. A step's own snapshot never has such a key. */
export function volumeKey(name: string): string {
  return `wfe-volume-${name}`;
}

/** Returns the label of a step's lease and container that names the volumes it uses. */
export function volumesLabel(uses: readonly Pick<VolumeUse, "name">[]): Record<string, string> {
  return uses.length === 0 ? {} : { [VOLUMES_LABEL]: uses.map(({ name }) => name).join(",") };
}

/**
 * Returns the labels by which a container protects its volumes from garbage collection. Source: containerd's
 * metadata/gc.go.
 */
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
  readonly kind: VolumeKind | "workspace";
  readonly target: string;
  readonly readonly: boolean;
  readonly noexec?: boolean | undefined;
  /** The step's working directory below it, relative to it. */
  readonly workingDir?: string | undefined;
}

/**
 * Returns the volumes and caches that a step mounts.
 *
 * @throws ExecutorError `refused` for a name that is used both as a volume and as a cache, and for a cache by
 * the name of a workspace.
 */
export function volumeUses({ namedVolumes, caches, workingDir }: StepConfig): VolumeUse[] {
  const names = new Set(namedVolumes.map(({ name }) => name));
  for (const { name } of caches) {
    requireThat(
      !names.has(name),
      "caches",
      `${name} is also the name of a volume of the step`,
      "a name that is not in volumes",
    );
    requireThat(!isWorkspace(name), "caches", `${name} is the name of a workspace`, "it in volumes");
  }
  return [
    ...namedVolumes.map(
      (volume): VolumeUse => ({
        ...volume,
        kind: isWorkspace(volume.name) ? "workspace" : "volume",
        workingDir: below(volume.target, workingDir),
      }),
    ),
    ...caches.map((cache): VolumeUse => ({ ...cache, kind: "cache", readonly: false })),
  ];
}

function below(target: string, workingDir = "/"): string | undefined {
  const path = normalPath(workingDir);
  return path !== target && isWithin(path, target) ? path.slice(target.length + 1) : undefined;
}
