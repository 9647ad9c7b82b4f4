import type { SpecHost } from "./spec/create-spec.js";

/** What a plan depends on, of the machine that the daemon runs on. */
export interface DaemonFacts extends SpecHost {
  readonly platform: {
    readonly os: string;
    readonly architecture: string;
    readonly variant?: string | undefined;
  };
}
