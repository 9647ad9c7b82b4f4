import type { SpecHost } from "../spec/create-spec.js";

/**
 * Where the daemon is, seen from here. `here`: on this machine, its files and processes are those that we see. `beside`: its socket is a file of
 * ours, but one of us is in a container, and what is at a path may be another thing there. `elsewhere`: on another machine.
 */
export type Locality = "here" | "beside" | "elsewhere";

/** What a plan depends on, of the machine that the daemon runs on. */
export interface DaemonFacts extends SpecHost {
  readonly locality: Locality;
  readonly platform: {
    readonly os: string;
    readonly architecture: string;
    readonly variant?: string | undefined;
  };
}
