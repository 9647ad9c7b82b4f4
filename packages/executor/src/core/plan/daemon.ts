import type { SpecHost } from "../spec/create-spec.js";

/**
 * Where the daemon runs.
 * - `here`: on this machine. Its files and processes are the same as ours.
 * - `beside`: its socket is a local file, but the daemon or the executor is in a container. A path may lead
 *   to different files for the two.
 * - `elsewhere`: on another machine.
 */
export type Locality = "here" | "beside" | "elsewhere";

/** Facts about the daemon's machine that a plan depends on. */
export interface DaemonFacts extends SpecHost {
  readonly locality: Locality;
  readonly platform: {
    readonly os: string;
    readonly architecture: string;
    readonly variant?: string | undefined;
  };
}
