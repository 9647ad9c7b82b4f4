import type { SpecHost } from "../spec/create-spec.js";

/**
 * Where the daemon runs.
 * - `local`: on this machine. Its files and processes are the same as ours.
 * - `containerized`: on this machine, but the daemon or the executor is in a container. A path may lead to
 *   different files for the two.
 * - `remote`: on another machine.
 */
export type Locality = "local" | "containerized" | "remote";

/** Facts about the daemon's machine that a plan depends on. */
export interface MachineFacts extends SpecHost {
  readonly locality: Locality;
  readonly platform: {
    readonly os: string;
    readonly architecture: string;
    readonly variant?: string | undefined;
  };
}
