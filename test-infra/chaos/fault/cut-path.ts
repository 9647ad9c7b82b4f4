import type { DaemonPath } from "../../daemon/path.js";
import { type Fault, PHASES } from "./fault.js";

/** Cuts the TCP path to the daemon: its connections, and all new ones for a while. */
export function cutPath(path: DaemonPath): Fault {
  return {
    name: "the path is cut",
    parts: ["path"],
    phases: PHASES,
    lastsMs: 500,
    async strike() {
      path.close();
      return { heal: async () => path.open() };
    },
    explains: () => false,
  };
}
