import type { StepConfig } from "../step/step.js";

/** Labels on the containers, snapshots and leases of steps. `ps`, `rm` and `gc` recognize steps by them. */
export const LABELS = {
  /** Name of the step. */
  step: "wfe-containerd/step",
  /** The executor that runs the step: the client's `currentOwner`. */
  owner: "wfe-containerd/owner",
  /** Directory of the step's output files, on the executor's machine. */
  io: "wfe-containerd/io",
  /** Only on a lease by which a process has taken a step over: the step's id. */
  claim: "wfe-containerd/claim",
} as const;

/** Returns the labels of everything that a step has in containerd. */
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
