import type { Client } from "@wfe-containerd/client";
import type { Bridge } from "../core/network/bridge.js";
import type { MachineFacts } from "../core/plan/machine-facts.js";
import type { CheckedIdRange } from "./id-range.js";
import type { IoDirectory } from "./io-directory.js";

/** What the operator configured about the machines that steps run on. */
export interface MachineSettings {
  /** The bridge for steps with `network: bridge`. */
  readonly bridge: Bridge;
  /** Path of a static init program. Default: the usual places, if the daemon is on this machine. */
  readonly init: string | undefined;
  /** The ids that steps with a user namespace are mapped to. */
  readonly idRange: CheckedIdRange;
  /** Where the directories for output are made, at the same path on that machine and on this one. */
  readonly ioDirectory: IoDirectory;
}

/**
 * The machine of one daemon: what is true of it, and does not depend on a step.
 *
 * A step has one `Machine` from start to end, whose facts do not change. A later step may get another one
 * for the same daemon, with newer facts: see `Machines`.
 */
export interface Machine extends MachineSettings {
  /** Its calls wait for a daemon that is away, as long as the step waits. */
  readonly client: Client;
  /** Its calls fail at once while the daemon is away. */
  readonly impatientClient: Client;
  readonly facts: MachineFacts;
}
