import type { StepConfig } from "../step/step.js";

/** Labels on the containers, snapshots and leases of steps. `ps`, `rm` and `gc` recognize steps by them. */
export const LABELS = {
  /** Name of the step. */
  step: "wfe-containerd/step",
  /** The executor that runs the step: the client's `currentOwner`. */
  owner: "wfe-containerd/owner",
  /** Directory of the step's output files, on the executor's machine. */
  io: "wfe-containerd/io",
  /**
   * Only on a step that was left to itself: it belongs to no executor. `keep`: until somebody removes it.
   * `remove`: until it has ended.
   */
  left: "wfe-containerd/left",
  /** Only on the container of a session. */
  session: "wfe-containerd/session",
  /** Only on the container of a session: changes when a process that did not open it has used it. */
  used: "wfe-containerd/used",
  /** Only on a container, with a process's tag behind it: what that process does with it just now. */
  turn: "wfe-containerd/turn",
  /** Only on a lease by which a process has taken a step over: the step's id. */
  claim: "wfe-containerd/claim",
} as const;

/** Whether a step stays when it was left to itself, and has ended. */
export type LeftStep = "keep" | "remove";

/** Whose a step is, and where its output is. */
export interface StepPlace {
  readonly owner: string;
  readonly ioDirectory: string;
  /** Undefined: it is not left to itself. */
  readonly left: LeftStep | undefined;
  readonly isSession: boolean;
}

/** Whether the container with these labels is that of a session. */
export function isSessionLabelled(labels: Readonly<Record<string, string>> = {}): boolean {
  return labels[LABELS.session] !== undefined;
}

/** Returns the labels of everything that a step has in containerd. */
export function stepLabels(
  step: Pick<StepConfig, "name" | "labels">,
  { owner, ioDirectory, left, isSession }: StepPlace,
): Readonly<Record<string, string>> {
  return {
    ...step.labels,
    [LABELS.step]: step.name,
    [LABELS.owner]: owner,
    [LABELS.io]: ioDirectory,
    ...(left && { [LABELS.left]: left }),
    ...(isSession && { [LABELS.session]: "true" }),
  };
}
