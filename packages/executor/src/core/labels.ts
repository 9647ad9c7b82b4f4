/** Labels on the containers, snapshots and leases of steps: how `ps`, `rm` and `gc` know them again. */
export const LABELS = {
  /** The step's name. */
  step: "wfe-containerd/step",
  /** Which executor runs it: by the client's `currentOwner`. */
  owner: "wfe-containerd/owner",
  /** The directory of its output files, on the machine of its executor. */
  io: "wfe-containerd/io",
} as const;
