import { createDeferred } from "@wfe-containerd/client/internal";
import type { NumberedStep } from "./numbered-step.js";
import type { SoakLog } from "./soak-log.js";
import type { Tally } from "./tally.js";
import type { Worker, WorkerLine, WorkerMemory } from "./worker.js";

/** Memory of a worker, in bytes, when it had 10 % and 100 % of its results. */
export interface SoakMemory {
  readonly at10: WorkerMemory;
  readonly at100: WorkerMemory;
}

export interface ShareOptions {
  readonly tally: Tally;
  readonly log: SoakLog;
  /** How many steps run at the same time. */
  readonly atOnce: number;
  start(onLine: (line: WorkerLine) => void): Worker;
  /** Called when a step enters a phase. */
  readonly onPhase: (phase: string, id: string) => void;
  /**
   * Called with the steps that ran when their worker was killed, when the next one has taken over its own.
   *
   * @returns those that are to be sent to it.
   */
  readonly onLost: (steps: readonly NumberedStep[]) => readonly NumberedStep[];
}

/**
 * The steps of one worker, and of those that replace it when it is killed. Disposing of it kills the worker.
 */
export interface Share extends AsyncDisposable {
  /** The worker, unless it is still starting. */
  readonly worker: Worker | undefined;
  /** Runs steps. Resolves when each is told and released, as far as its worker could. */
  run(steps: readonly NumberedStep[]): Promise<void>;
  /** Lets the worker end. */
  end(): Promise<void>;
  memory(): SoakMemory;
}

export function createShare(options: ShareOptions): Share {
  const { tally, log, atOnce, onPhase, onLost } = options;
  const memory: WorkerMemory[] = [];
  let waiting: NumberedStep[] = [];
  /** Sent, and not told yet. */
  const open = new Map<string, NumberedStep>();
  /** Told, and not released yet. */
  const closing = new Set<string>();
  let lost: NumberedStep[] = [];
  const known = new Map<string, NumberedStep>();
  let worker: Worker;
  let isReady = false;
  let isEnding = false;
  let running = createDeferred<void>();
  const ended = createDeferred<void>();
  // They are awaited later, or never.
  for (const { promise } of [running, ended]) promise.catch(() => undefined);

  function goOn(): void {
    if (!isReady) return;
    while (open.size < atOnce) {
      const next = waiting.shift();
      if (next === undefined) break;
      open.set(next.name, next);
      tally.send(next.name);
      worker.start(next);
    }
    if (open.size === 0 && closing.size === 0) running.resolve();
  }

  function take(line: WorkerLine): void {
    tally.take(line);
    log({ worker: worker.child.pid, ...line });
    switch (line.type) {
      case "ready":
        isReady = true;
        waiting.unshift(...onLost(lost.filter(({ name }) => !open.has(name) && !tally.isDone(name))));
        lost = [];
        break;
      case "recovered":
        waiting = waiting.filter(({ name }) => name !== line.name);
        open.set(line.name, known.get(line.name) as NumberedStep);
        break;
      case "phase":
        onPhase(line.phase, line.id);
        return;
      case "not-started":
        open.delete(line.name);
        // The worker before may have told that it could not be run, and was killed before it had released it.
        if (!tally.isDone(line.name)) waiting.push(known.get(line.name) as NumberedStep);
        break;
      case "result":
      case "error":
        open.delete(line.name);
        closing.add(line.name);
        break;
      case "closed":
        closing.delete(line.name);
        memory.push(line);
    }
    goOn();
  }

  function fail(reason: unknown): void {
    running.reject(reason);
    ended.reject(reason);
  }

  function launch(): void {
    worker = options.start((line) => {
      try {
        take(line);
      } catch (reason) {
        fail(reason);
      }
    });
    void worker.ended.then((code) => {
      isReady = false;
      if (code === null && !isEnding) {
        lost.push(...open.values());
        open.clear();
        closing.clear();
        launch();
        return;
      }
      if (isEnding && code === 0) ended.resolve();
      fail(new Error(`a worker ended with exit code ${code}`));
    });
  }

  launch();
  const memoryAt = (at: number): WorkerMemory => {
    const { residentBytes = 0, heapBytes = 0 } = memory[at] ?? {};
    return { residentBytes, heapBytes };
  };
  return {
    get worker() {
      return isReady ? worker : undefined;
    },
    async run(steps) {
      running = createDeferred<void>();
      for (const step of steps) known.set(step.name, step);
      waiting.push(...steps);
      goOn();
      await running.promise;
    },
    async end() {
      isEnding = true;
      worker.finish();
      await ended.promise;
    },
    async [Symbol.asyncDispose]() {
      isEnding = true;
      worker.kill();
      await worker.ended;
    },
    memory: () => ({
      at10: memoryAt(Math.floor(memory.length / 10)),
      at100: memoryAt(memory.length - 1),
    }),
  };
}
