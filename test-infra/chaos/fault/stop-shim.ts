import type { TestDaemon } from "../../daemon/daemon.js";
import type { Fault } from "./fault.js";
import { findShim, signal } from "./find-shim.js";

/** Stops the shim of the step with SIGSTOP, so that it does not answer, and lets it go on. */
export function stopShim({ daemon }: TestDaemon): Fault {
  return {
    name: "a shim is stopped",
    // A containerd that is started removes the tasks of shims that do not answer it.
    parts: ["shims", "daemon"],
    phases: ["starting", "running", "settling", "releasing"],
    lastsMs: 1_000,
    async strike(id) {
      const pid = await findShim(daemon.socketPath, id);
      if (pid === undefined || !signal(pid, "SIGSTOP")) return undefined;
      return { ids: new Set([id]), heal: async () => void signal(pid, "SIGCONT") };
    },
    explains: () => false,
  };
}
