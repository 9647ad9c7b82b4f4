import type { StepConfig } from "../step/step.js";

/** Labels on the containers, snapshots and leases of steps: how `ps`, `rm` and `gc` know them again. */
export const LABELS = {
  /** The step's name. */
  step: "wfe-containerd/step",
  /** Which executor runs it: by the client's `currentOwner`. */
  owner: "wfe-containerd/owner",
  /** The directory of its output files, on the machine of its executor. */
  io: "wfe-containerd/io",
} as const;

/** How everything that a step holds in containerd is labelled. */
export function stepLabels(
  step: Pick<StepConfig, "name" | "labels">,
  { owner, ioDirectory }: { readonly owner: string; readonly ioDirectory: string },
): Readonly<Record<string, string>> {
  return {
    ...step.labels,
    [LABELS.step]: step.name,
    [LABELS.owner]: owner,
    [LABELS.io]: ioDirectory,
  };
}
