import type { Client } from "@wfe-containerd/client";
import type { MachineFacts } from "../core/plan/machine-facts.js";
import { describeMachine } from "./facts.js";

/** Some facts can change while the daemon runs: an AppArmor profile is loaded, a CPU is switched off. */
const MAX_AGE_MS = 10 * 60_000;

interface Asked {
  readonly facts: Promise<MachineFacts>;
  /** By `performance.now()`. */
  readonly at: number;
  /** How often the connection had been lost by then. */
  readonly disconnects: number;
}

/**
 * Returns a function that gives the facts about a daemon's machine. It asks again when the facts are old, and
 * when the connection was lost since, because the daemon may have been restarted with other limits. A lost
 * connection is the only sign of a restart in every version: the daemon's uuid survives it, and daemons tell
 * their process id only since containerd 1.7.
 */
export function createFactCache(
  client: Client,
  describe: (client: Client) => Promise<MachineFacts> = describeMachine,
): (client?: Client) => Promise<MachineFacts> {
  let last: Asked | undefined;

  function isFresh({ at, disconnects }: Asked): boolean {
    return disconnects === client.disconnects() && performance.now() - at < MAX_AGE_MS;
  }

  return (asking = client) => {
    if (last !== undefined && isFresh(last)) return last.facts;
    const asked: Asked = {
      // Before the call: a connection that is lost during the call makes its facts old.
      disconnects: client.disconnects(),
      at: performance.now(),
      facts: describe(asking),
    };
    last = asked;
    // A failure is not remembered: the daemon may answer for the next step.
    asked.facts.catch(() => {
      if (last === asked) last = undefined;
    });
    return asked.facts;
  };
}
