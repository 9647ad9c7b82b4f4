import { createDeferred, type Semaphore } from "@wfe-containerd/client/internal";
import type { AbortRelay } from "./abort-relay.js";
import { type AdmittedStep, admitStep, inWordsOf } from "./admit-step.js";
import type { StepResult } from "./core/output/result.js";
import type { StepInput } from "./core/step/step-input.js";
import { traceStep } from "./diagnostics/step.js";
import type { ExecutorError } from "./error.js";
import type { StepEvent } from "./event.js";
import type { StartOptions } from "./executor-options.js";
import { toExecutorError } from "./failure.js";
import type { StepHandle } from "./handle.js";
import type { EventQueue } from "./log/event-queue.js";
import type { KeptLogs } from "./log/kept-logs.js";
import { createLog } from "./log/log.js";
import { createRelease } from "./resources/release.js";
import type { UnfinishedReleases } from "./resources/unfinished-releases.js";
import { type AttemptParts, runAttempts } from "./run-attempts.js";
import type { ExecutorContext } from "./stages/context.js";
import { createStepId } from "./step-id.js";
import type { ReleaseReport, UnreleasedResource } from "./unreleased.js";

/** What the steps of one executor share. */
export interface StepHost {
  readonly context: ExecutorContext;
  readonly slots: Semaphore;
  readonly aborts: AbortRelay;
  readonly keptLogs: KeptLogs;
  readonly unfinished: UnfinishedReleases;
  /**
   * Refuses invalid options, and every step if the executor starts no more.
   *
   * @throws ExecutorError
   */
  checkStart(options: StartOptions): void;
}

/** A step that was started, as its executor sees it. */
export interface StartedStep {
  readonly handle: StepHandle;
  /** What an attempt that has not ended has acquired. */
  readonly left: readonly UnreleasedResource[];
  /** Stops the step. One that waits for its turn fails with this error. */
  stop(reason: ExecutorError): void;
}

/** Starts a step. Never throws: what is wrong with it rejects the handle's `result`. */
export function startStep(
  host: StepHost,
  input: StepInput,
  options: StartOptions,
  events: EventQueue,
): StartedStep {
  const { signal, data = {}, secrets = {}, priority = 0 } = options ?? {};
  const stop = new AbortController();
  const forceKill = new AbortController();
  const signals = { stop: stop.signal, forceKill: forceKill.signal };
  const disconnect = signal === undefined ? undefined : host.aborts.connect(signal, stop);

  const started = createDeferred<void>();
  const result = createDeferred<StepResult>();
  // A caller may await only `closed`. Then a rejection must not end the process.
  started.promise.catch(() => undefined);
  result.promise.catch(() => undefined);

  let newest = createParts();
  const attempts: AttemptParts[] = [];
  let running: AttemptParts | undefined;

  function begin(): AttemptParts {
    if (attempts.length > 0) newest = createParts();
    attempts.push(newest);
    running = newest;
    return newest;
  }

  function end({ log, release }: AttemptParts): void {
    running = undefined;
    host.keptLogs.add(log);
    if (release.left.length > 0) host.unfinished.add(release);
  }

  function admit(): AdmittedStep | undefined {
    const checkCall = (): void => host.checkStart(options);
    try {
      return admitStep({ input, checkCall, data, secrets }, host.context.rules);
    } catch (reason) {
      const error = inWordsOf(input, toExecutorError(reason, signals, undefined));
      started.reject(error);
      result.reject(error);
      return undefined;
    }
  }

  async function run(): Promise<ReleaseReport> {
    const admitted = admit();
    const { context: executor, slots } = host;
    if (admitted !== undefined)
      await runAttempts({
        admitted,
        executor,
        slots,
        priority,
        signals,
        events,
        started,
        result,
        begin,
        end,
      });
    // A step that never began is one that failed, for whoever observes.
    if (attempts.length === 0)
      await traceStep({ id: newest.id, attempt: 1, admitted: { input }, events, result }, async () => []);
    newest.log.end();
    events.close();
    disconnect?.();
    return { unreleased: attempts.flatMap(({ release }) => release.left) };
  }

  const closed = run();
  const handle: StepHandle = {
    get id() {
      return newest.id;
    },
    started: started.promise,
    result: result.promise,
    closed,
    log: {
      read: (readOptions) => newest.log.read(readOptions),
      lines: (linesOptions) => newest.log.lines(linesOptions),
    },
    stop: () => stop.abort(),
    kill() {
      stop.abort();
      forceKill.abort();
    },
    [Symbol.asyncIterator]: () => endingWith(events.iterate(), result.promise),
    async [Symbol.asyncDispose]() {
      stop.abort();
      events.discard();
      await closed.finally(() => Promise.all(attempts.map(({ log }) => host.keptLogs.remove(log))));
    },
  };
  return {
    handle,
    get left() {
      return running?.release.left ?? [];
    },
    stop: (reason) => stop.abort(reason),
  };
}

function createParts(): AttemptParts {
  const id = createStepId();
  return { id, log: createLog(), release: createRelease(id) };
}

/** The events of a step. After the last one, throws the error of a step that could not be run. */
async function* endingWith(
  events: AsyncGenerator<StepEvent, void, undefined>,
  result: Promise<StepResult>,
): AsyncGenerator<StepEvent, void, undefined> {
  yield* events;
  await result;
}
