import { createDeferred, type Deferred } from "@wfe-containerd/client/internal";
import type { AbortRelay } from "./abort-relay.js";
import type { StepResult } from "./core/output/result.js";
import type { StepEvent } from "./event.js";
import type { StepHandle } from "./handle.js";
import { refuseToLeave } from "./leave-step.js";
import type { EventQueue } from "./log/event-queue.js";
import type { KeptLogs } from "./log/kept-logs.js";
import { createLog, type Log } from "./log/log.js";
import type { StopSignals } from "./process/stop-signals.js";
import type { UnreleasedResource } from "./unreleased.js";

/** What a handle shows of a run. */
export interface HandleParts {
  readonly signals: StopSignals;
  readonly events: EventQueue;
  readonly log: Log;
  readonly started: Deferred<void>;
  readonly result: Deferred<StepResult>;
}

/** What a handle is made of. */
export interface HandleOptions extends Pick<StepHandle, "id" | "exec" | "resize"> {
  /** The caller's way to stop the run. */
  readonly signal: AbortSignal | undefined;
  readonly aborts: AbortRelay;
  readonly events: EventQueue;
  readonly keptLogs: KeptLogs;
  /** Runs to the end, and releases everything. Never rejects. Returns what could not be released yet. */
  run(parts: HandleParts): Promise<readonly UnreleasedResource[]>;
}

/** Starts the run of a further process at once, and returns the handle of it. */
export function openHandle({ signal, aborts, events, keptLogs, run, ...own }: HandleOptions): StepHandle {
  const stop = new AbortController();
  const forceKill = new AbortController();
  const disconnect = signal === undefined ? undefined : aborts.connect(signal, stop);

  const log = createLog();
  const started = createDeferred<void>();
  const result = createDeferred<StepResult>();
  const signals: StopSignals = { stop: stop.signal, forceKill: forceKill.signal };
  const closed = run({ signals, events, log, started, result }).then((unreleased) => {
    keptLogs.add(log);
    disconnect?.();
    return { unreleased };
  });
  // A caller may await only `closed`. Then a rejection must not end the process.
  started.promise.catch(() => undefined);
  result.promise.catch(() => undefined);
  return {
    ...own,
    started: started.promise,
    result: result.promise,
    closed,
    log: { read: log.read, lines: log.lines },
    leave: async () => refuseToLeave(),
    stop: () => stop.abort(),
    kill() {
      stop.abort();
      forceKill.abort();
    },
    [Symbol.asyncIterator]: () => endingWith(events.iterate(), result.promise),
    async [Symbol.asyncDispose]() {
      stop.abort();
      events.discard();
      await closed.finally(() => keptLogs.remove(log));
    },
  };
}

/** The events of a step. After the last one, throws the error of a step that could not be run. */
export async function* endingWith(
  events: AsyncGenerator<StepEvent, void, undefined>,
  result: Promise<StepResult>,
): AsyncGenerator<StepEvent, void, undefined> {
  yield* events;
  await result;
}
