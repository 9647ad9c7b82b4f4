import { createExecutor } from "@wfe-containerd/executor";
import type { TestDaemon } from "../daemon/daemon.js";
import { type KillerOptions, startKiller } from "./killer.js";
import { numberedSteps } from "./numbered-step.js";
import { countRuns, makeRanDir } from "./ran.js";
import { createShare, type SoakMemory } from "./share.js";
import { createTally, type SoakFaults } from "./tally.js";
import { startWorker } from "./worker.js";

const SCRIPT = new URL("worker.mjs", import.meta.url);

export interface SoakOptions extends KillerOptions {
  readonly steps: number;
  /** How many steps run at the same time. */
  readonly atOnce: number;
}

export interface SoakReport extends SoakFaults {
  readonly steps: number;
  readonly daemonKills: number;
  readonly workerKills: number;
  /** How many steps a new process took over from a dead one. */
  readonly recovered: number;
  /** Of the process that is never killed. */
  readonly memory: SoakMemory;
  readonly seconds: number;
}

/**
 * Runs numbered steps in two processes, half of them in each, while the daemon and one of the processes are
 * killed at random, again and again. A killed process is replaced by one that recovers its steps. Checks
 * every exit code, every byte of output, and that no step ran twice. Leaves nothing but what a step or an
 * executor leaves by mistake: count that with the daemon's inventory.
 */
export async function soak(at: TestDaemon, options: SoakOptions): Promise<SoakReport> {
  const { steps: count, atOnce, seed } = options;
  const startedAt = performance.now();
  const steps = numberedSteps(count);
  const tally = createTally(steps);
  const ranDir = await makeRanDir(at);
  const settings = {
    address: at.daemon.address,
    namespace: at.client.namespace,
    ioDir: at.ioDir,
    ranDir,
    runId: `soak-${seed}`,
  };
  const half = Math.ceil(count / 2);
  const steady = createShare(steps.slice(0, half), tally, Math.ceil(atOnce / 2));
  const victim = createShare(steps.slice(half), tally, Math.floor(atOnce / 2));
  const killer = startKiller(at, options);
  async function runSteadily(): Promise<void> {
    await steady.run((onLine) => startWorker(SCRIPT, settings, onLine));
  }
  async function runAndKill(): Promise<void> {
    let open: unknown;
    do {
      // Not while it recovers: on a slow machine none would ever be ready.
      open = await victim.run((onLine) => startWorker(SCRIPT, settings, onLine), killer.aim);
    } while (open !== undefined);
  }

  try {
    await Promise.all([runSteadily(), runAndKill()]);
  } finally {
    await killer[Symbol.asyncDispose]();
  }
  await using executor = createExecutor({ client: at.client, ioDir: at.ioDir });
  await executor.reap();
  await countRuns(ranDir, steps, tally.faults);
  return {
    ...tally.faults,
    steps: tally.done,
    daemonKills: killer.daemonKills,
    workerKills: killer.workerKills,
    recovered: tally.recovered,
    memory: steady.memory(),
    seconds: (performance.now() - startedAt) / 1000,
  };
}
