import { createExecutor } from "@wfe-containerd/executor";
import type { TestDaemon } from "../daemon/daemon.js";
import { startKiller } from "./killer.js";
import { numberedSteps } from "./numbered-step.js";
import { countRuns, makeRanDir } from "./ran.js";
import { createShare } from "./share.js";
import type { SoakOptions, SoakReport } from "./soak.js";
import { createTally } from "./tally.js";
import { startWorker } from "./worker.js";

const SCRIPT = new URL("session-worker.mjs", import.meta.url);

export interface SessionSoakReport extends Omit<SoakReport, "recovered" | "memory"> {
  /** How often a new process connected to the session of a dead one. */
  readonly connected: number;
  /** How many steps ran in a session when their process was killed. Nobody has their results. */
  readonly interrupted: number;
}

/**
 * Runs numbered steps in two sessions of a process, while the daemon and the process are killed at random,
 * again and again. One session goes on, and the next process connects to it; the other ends with its process.
 * Checks what {@link soak} checks.
 */
export async function soakSessions(at: TestDaemon, options: SoakOptions): Promise<SessionSoakReport> {
  const startedAt = performance.now();
  const steps = numberedSteps(options.steps);
  const tally = createTally(steps);
  const ranDir = await makeRanDir(at);
  const { client, ioDir } = at;
  const settings = { address: at.daemon.address, namespace: client.namespace, ioDir, ranDir };
  const share = createShare(steps, tally, options.atOnce);
  const interrupted = new Set<string>();
  const killer = startKiller(at, options);
  try {
    for (;;) {
      const open = await share.run((onLine) => startWorker(SCRIPT, settings, onLine), killer.aim);
      if (open === undefined) break;
      for (const name of open) {
        interrupted.add(name);
        tally.giveUp(name);
      }
    }
  } finally {
    await killer[Symbol.asyncDispose]();
  }
  await using executor = createExecutor({ client, ioDir });
  await executor.reap();
  await countRuns(ranDir, steps, tally.faults, interrupted);
  return {
    ...tally.faults,
    steps: tally.done,
    daemonKills: killer.daemonKills,
    workerKills: killer.workerKills,
    connected: tally.connected,
    interrupted: interrupted.size,
    seconds: (performance.now() - startedAt) / 1000,
  };
}
