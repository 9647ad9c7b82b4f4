import { chmod, mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { createExecutor } from "@wfe-containerd/executor";
import type { TestDaemon } from "../daemon/daemon.js";
import { randomOf } from "../fuzz/random.js";
import { type NumberedStep, numberedStep } from "./numbered-step.js";
import { createTally, type SoakFaults } from "./tally.js";
import { startWorker, type Worker, type WorkerLine } from "./worker.js";

export interface SoakOptions {
  readonly steps: number;
  /** How many steps run at the same time. */
  readonly atOnce: number;
  /** The mean time between two kills, in milliseconds: of the daemon, and of the process that runs steps. */
  readonly daemonMs: number;
  readonly workerMs: number;
  /** Gives the same kills again, as far as the machine's timing allows. */
  readonly seed: number;
}

export interface SoakReport extends SoakFaults {
  readonly steps: number;
  readonly daemonKills: number;
  readonly workerKills: number;
  /** How many steps a new process took over from a dead one. */
  readonly recovered: number;
  /** Memory of the process that is never killed, when it had 10 % and 100 % of its results. */
  readonly memoryBytes: { readonly at10: number; readonly at100: number };
  readonly seconds: number;
}

/**
 * Runs numbered steps in two processes, half of them in each, while the daemon and one of the processes are
 * killed at random, again and again. A killed process is replaced by one that recovers its steps. Checks
 * every exit code, every byte of output, and that no step ran twice. Leaves nothing but what a step or an
 * executor leaves by mistake: count that with the daemon's inventory.
 */
export async function soak(at: TestDaemon, options: SoakOptions): Promise<SoakReport> {
  const { steps: count, atOnce, daemonMs, workerMs, seed } = options;
  const startedAt = performance.now();
  const random = randomOf(seed);
  const numbered = Array.from({ length: count }, (_, number) => numberedStep(number));
  const tally = createTally(new Map(numbered.map((step) => [step.name, step])));
  const ranDir = join(at.daemon.directory, "ran");
  await mkdir(ranDir);
  // Steps run as nobody.
  await chmod(ranDir, 0o777);
  const over = new AbortController();
  let daemonKills = 0;
  let workerKills = 0;
  /** The process that is killed, if it has recovered its steps. */
  let worker: Worker | undefined;

  function killWorker(): void {
    if (worker === undefined) return;
    workerKills++;
    worker.kill();
    worker = undefined;
  }

  async function killDaemon(): Promise<void> {
    while (await pause(daemonMs * 2 * random(), over.signal)) {
      // Often both at once: then nobody undoes what was begun.
      if (random() < BOTH) killWorker();
      at.daemon.kill("SIGKILL");
      await at.daemon.exited;
      daemonKills++;
      await delay(500 * random());
      await at.daemon.restart();
    }
  }

  const settings = {
    address: at.daemon.address,
    namespace: at.client.namespace,
    ioDir: at.ioDir,
    ranDir,
    runId: `soak-${seed}`,
  };
  const half = Math.ceil(count / 2);
  const steady = createShare(numbered.slice(0, half), tally, Math.ceil(atOnce / 2));
  const victim = createShare(numbered.slice(half), tally, Math.floor(atOnce / 2));
  async function runSteadily(): Promise<void> {
    await steady.run((onLine) => startWorker(settings, onLine));
  }
  async function runAndKill(): Promise<void> {
    for (;;) {
      const life = new AbortController();
      const outcome = await victim.run(
        (onLine) => startWorker(settings, onLine),
        (ready) => {
          worker = ready;
          void pause(workerMs * 2 * random(), life.signal).then((isTime) => {
            if (isTime) killWorker();
          });
        },
      );
      life.abort();
      worker = undefined;
      if (outcome === "finished") return;
    }
  }

  const killing = killDaemon();
  try {
    await Promise.all([runSteadily(), runAndKill()]);
  } finally {
    over.abort();
    await killing;
  }
  await using executor = createExecutor({ client: at.client, ioDir: at.ioDir });
  await executor.reap();
  await countRuns(ranDir, numbered, tally.faults);
  await rm(ranDir, { recursive: true });
  return {
    ...tally.faults,
    steps: tally.done,
    daemonKills,
    workerKills,
    recovered: tally.recovered,
    memoryBytes: steady.memory(),
    seconds: (performance.now() - startedAt) / 1000,
  };
}

/** How many of the daemon's kills are kills of the process, too. */
const BOTH = 0.5;

type Tally = ReturnType<typeof createTally>;

/** The steps of one worker, and of those that replace it. */
function createShare(steps: readonly NumberedStep[], tally: Tally, atOnce: number) {
  const memory: number[] = [];

  /** Runs what is not done yet. Resolves when the worker has ended: by itself, or killed. */
  async function run(
    start: (onLine: (line: WorkerLine) => void) => Worker,
    onReady: (worker: Worker) => void = () => undefined,
  ): Promise<"finished" | "killed"> {
    /** Steps that run in this worker. */
    const open = new Set<string>();
    let waiting: NumberedStep[] = [];
    function startNext(): void {
      const next = waiting.shift();
      if (next !== undefined) {
        open.add(next.name);
        worker.start(next);
      } else if (open.size === 0) worker.finish();
    }
    const worker = start((line) => {
      const isEnd = tally.take(line);
      if (line.type === "memory") memory.push(line.residentBytes);
      if (line.type === "recovered") open.add(line.name);
      if (line.type === "ready") {
        waiting = steps.filter(({ name }) => !tally.isDone(name) && !open.has(name));
        for (let slot = 0; slot < atOnce; slot++) startNext();
        onReady(worker);
      }
      if (line.type === "not-started")
        waiting.push(steps.find(({ name }) => name === line.name) as NumberedStep);
      if (isEnd || line.type === "not-started") {
        open.delete((line as { readonly name: string }).name);
        startNext();
      }
    });
    const code = await worker.ended;
    if (code === null) return "killed";
    if (code !== 0) throw new Error(`a worker ended with exit code ${code}`);
    return "finished";
  }

  return {
    run,
    memory: () => ({
      at10: memory[Math.floor(memory.length / 10)] ?? 0,
      at100: memory.at(-1) ?? 0,
    }),
  };
}

async function countRuns(
  ranDir: string,
  steps: readonly NumberedStep[],
  { ranTwice, neverRan, forgotten, unknown }: SoakFaults,
): Promise<void> {
  const unsure = new Set(unknown.splice(0));
  const ran = new Set(await readdir(ranDir));
  for (const [number, { name }] of steps.entries()) {
    if (unsure.has(name)) (ran.has(String(number)) ? forgotten : unknown).push(name);
    else if (!ran.has(String(number))) neverRan.push(name);
    if (!ran.has(String(number))) continue;
    if ((await readFile(join(ranDir, String(number)), "utf8")) !== "ran\n") ranTwice.push(name);
  }
}

/** @returns false if the signal ended the pause. */
async function pause(ms: number, signal: AbortSignal): Promise<boolean> {
  return delay(ms, true, { signal }).catch(() => false);
}
