import type { TestDaemon } from "../../daemon/daemon.js";
import { isDaemonEnd } from "./end-daemon.js";
import type { Fault } from "./fault.js";
import { findShim, signal } from "./find-shim.js";

/** Kills the shim of the step. */
export function killShim({ daemon }: TestDaemon): Fault {
  return {
    name: "a shim is killed",
    parts: ["shims"],
    phases: ["starting", "running", "settling", "releasing"],
    lastsMs: 0,
    async strike(id) {
      const pid = await findShim(daemon.socketPath, id);
      if (pid === undefined || !signal(pid, "SIGKILL")) return undefined;
      return { ids: new Set([id]), heal: async () => undefined };
    },
    explains({ cause, exitCode, error, isComplete, marks }, _, around) {
      // It was not started yet.
      if (error !== undefined) return cause === "runtime" && marks.runs === 0;
      // What the shim has not copied is lost, also if it has told the exit code before.
      if (cause === "exit") return isComplete !== true;
      const isForgotten = cause === "unknown" && around.some(isDaemonEnd);
      return exitCode === null && (cause === "runtime-lost" || isForgotten);
    },
  };
}
