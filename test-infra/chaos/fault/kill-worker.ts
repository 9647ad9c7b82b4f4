import type { Worker } from "../worker.js";
import { type Fault, PHASES } from "./fault.js";

/** Kills the process that has the steps of a share. It is healed by the share, which starts another one. */
export function killWorker(victim: () => Worker | undefined): Fault {
  return {
    name: "a worker is killed",
    parts: ["worker"],
    phases: PHASES,
    lastsMs: 0,
    async strike() {
      const worker = victim();
      if (worker === undefined) return undefined;
      worker.kill();
      await worker.ended;
      return { heal: async () => undefined };
    },
    explains: () => false,
  };
}
