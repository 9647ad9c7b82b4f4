import { pauseProcess, type TestDaemon } from "../../daemon/daemon.js";
import { type Fault, PHASES } from "./fault.js";

/** Stops containerd with SIGSTOP, so that it does not answer, and lets it go on. */
export function stopDaemon({ daemon }: TestDaemon): Fault {
  return {
    name: "containerd is stopped",
    parts: ["daemon"],
    phases: PHASES,
    lastsMs: 1_000,
    async strike() {
      await pauseProcess(daemon.pid);
      return { heal: async () => daemon.kill("SIGCONT") };
    },
    explains: () => false,
  };
}
