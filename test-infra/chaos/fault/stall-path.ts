import type { DaemonPath } from "../../daemon/path.js";
import { type Fault, PHASES } from "./fault.js";

/** Lets nothing through on the TCP path to the daemon for a while. Nobody is told. */
export function stallPath(path: DaemonPath): Fault {
  return {
    name: "the path is silent",
    parts: ["path"],
    phases: PHASES,
    lastsMs: 2_000,
    async strike() {
      path.stall();
      return { heal: async () => path.open() };
    },
    explains: () => false,
  };
}
