import type { NumberedStep } from "./numbered-step.js";
import type { Tally } from "./tally.js";
import type { Worker, WorkerLine, WorkerMemory } from "./worker.js";

/** Memory of a worker, in bytes, when it had 10 % and 100 % of its results. */
export interface SoakMemory {
  readonly at10: WorkerMemory;
  readonly at100: WorkerMemory;
}

/** The steps of one worker, and of those that replace it. */
export interface Share {
  /**
   * Runs what is not done yet. Resolves when the worker has ended: by itself, or killed.
   *
   * @returns the steps that ran in a worker when it was killed; undefined after the last step.
   */
  run(
    start: (onLine: (line: WorkerLine) => void) => Worker,
    onReady?: (worker: Worker) => void,
  ): Promise<ReadonlySet<string> | undefined>;
  memory(): SoakMemory;
}

export function createShare(steps: readonly NumberedStep[], tally: Tally, atOnce: number): Share {
  const memory: WorkerMemory[] = [];

  async function run(
    start: (onLine: (line: WorkerLine) => void) => Worker,
    onReady: (worker: Worker) => void = () => undefined,
  ): Promise<ReadonlySet<string> | undefined> {
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
      if (line.type === "memory") memory.push(line);
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
    if (code !== null && code !== 0) throw new Error(`a worker ended with exit code ${code}`);
    return code === null ? open : undefined;
  }

  const memoryAt = (at: number): WorkerMemory => {
    const { residentBytes = 0, heapBytes = 0 } = memory[at] ?? {};
    return { residentBytes, heapBytes };
  };
  return {
    run,
    memory: () => ({
      at10: memoryAt(Math.floor(memory.length / 10)),
      at100: memoryAt(memory.length - 1),
    }),
  };
}
