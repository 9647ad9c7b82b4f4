import { createDeferred } from "@wfe-containerd/client/internal";
import type { StepResult } from "./core/output/result.js";
import type { StepInput } from "./core/step/step-input.js";
import { printStepLines } from "./diagnostics/debug-output.js";
import { ExecutorError, isExecutorError } from "./error.js";
import type { StepEvent } from "./event.js";
import { createContext } from "./executor-context.js";
import {
  CLOSE_OPTIONS,
  type CloseOptions,
  EXECUTOR_OPTIONS,
  type ExecutorOptions,
  RUN_OPTIONS,
  type RunOptions,
  START_OPTIONS,
  type StartOptions,
} from "./executor-options.js";
import { toExecutorError } from "./failure.js";
import type { StepHandle } from "./handle.js";
import { createEventQueue, type EventQueue } from "./log/event-queue.js";
import { createKeptLogs } from "./log/kept-logs.js";
import { createLog } from "./log/log.js";
import { checkOptions } from "./options.js";
import { abandonedSteps } from "./record/abandoned.js";
import type { ReapReport } from "./record/leftover.js";
import { REAP_OPTIONS, type ReapOptions } from "./record/reap.js";
import { createRelease, type Release } from "./resources/release.js";
import { createUnfinishedReleases } from "./resources/unfinished-releases.js";
import { runStep } from "./run-step.js";
import { createStepId } from "./step-id.js";
import { startTimer } from "./timer.js";
import type { ReleaseReport, UnreleasedResource } from "./unreleased.js";

/** Runs steps on containerd. */
export interface Executor extends AsyncDisposable {
  /**
   * Starts a step and returns at once. Never throws: an invalid step or option rejects the handle's
   * `result`.
   */
  start(step: StepInput, options?: StartOptions): StepHandle;
  /**
   * Runs a step to its end, and releases everything that it used. The result tells what could not be released
   * yet; so does the error of a step that could not be run.
   *
   * @throws ExecutorError if the step could not be run; `closed` after `close`. A step that ran and failed is
   * a result.
   */
  run(step: StepInput, options?: RunOptions): Promise<RunResult>;
  /**
   * Finds and removes what no living process claims, in the namespace of the executor's daemon, and of other
   * daemons that its steps ran on: tasks, containers, snapshots, leases, files, and what the runtime left.
   * The executor also does so by itself: see `reapIntervalMs`. It ends running steps of executors that have
   * ended.
   *
   * @throws ExecutorError `invalid-argument` for an unknown option; `closed` after `close`;
   * `daemon-unavailable`.
   */
  reap(options?: ReapOptions): Promise<ReapReport>;
  /**
   * Stops the steps that still run, and kills those that have not ended after `graceMs`. Tries once more to
   * release what could not be released before, then closes the connections that the executor opened. Never
   * rejects. Further calls return the promise of the first.
   */
  close(options?: CloseOptions): Promise<ReleaseReport>;
}

/** The result of `Executor.run`: with what could not be released yet. */
export interface RunResult extends StepResult, ReleaseReport {}

const DEFAULT_CLOSE_GRACE_MS = 60_000;
/** How long `close` waits for steps that it killed, in milliseconds. A busy machine needs seconds. */
const KILLED_MS = 30_000;
/** How long `close` tries to release what is left, in milliseconds. */
const RELEASE_MS = { least: 2_000, most: 10_000 };

/**
 * Creates an executor. Without a client of yours, it connects at its first step.
 *
 * @throws ExecutorError `refused` for an invalid policy or bridge; `invalid-argument` for an unknown option
 * and for an invalid id range.
 * @example
 * ```ts
 * await using executor = createExecutor();
 * const result = await executor.run({ name: "hello", image: "alpine:3.20", run: "echo hello" });
 * console.log(result.exitCode, result.stdout);
 * ```
 */
export function createExecutor(options: ExecutorOptions = {}): Executor {
  checkOptions("createExecutor", options, EXECUTOR_OPTIONS);
  printStepLines();
  const context = createContext(options);
  const unfinished = createUnfinishedReleases();
  const running = new Map<StepHandle, Release>();
  const keptLogs = createKeptLogs();
  let closing: Promise<ReleaseReport> | undefined;
  if (options.client !== undefined) context.reaper.start();

  function begin(input: StepInput, startOptions: StartOptions, events: EventQueue): StepHandle {
    if (closing === undefined) context.reaper.start();
    const { signal, data = {}, secrets = {} } = startOptions ?? {};
    const id = createStepId();
    const stop = new AbortController();
    const forceKill = new AbortController();
    const onAbort = (): void => stop.abort(signal?.reason);
    if (signal?.aborted === true) onAbort();
    else signal?.addEventListener("abort", onAbort, { once: true });

    const isOpen = closing === undefined;
    const release = createRelease(id);
    const log = createLog();
    const started = createDeferred<void>();
    const result = createDeferred<StepResult>();
    async function runAndRelease(): Promise<ReleaseReport> {
      const unreleased = await runStep({
        id,
        request: {
          step: input,
          checkCall() {
            checkOptions("start", startOptions, START_OPTIONS);
            checkOpen(isOpen);
          },
          data,
          secrets,
        },
        executor: context,
        signals: { stop: stop.signal, forceKill: forceKill.signal },
        events,
        log,
        release,
        started,
        result,
      });
      keptLogs.add(log);
      signal?.removeEventListener("abort", onAbort);
      running.delete(handle);
      if (unreleased.length > 0) unfinished.add(release);
      return { unreleased };
    }
    const closed = runAndRelease();
    // A caller may await only `closed`. Then a rejection must not end the process.
    started.promise.catch(() => undefined);
    result.promise.catch(() => undefined);

    const handle: StepHandle = {
      id,
      started: started.promise,
      result: result.promise,
      closed,
      log: { read: log.read, lines: log.lines },
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
    running.set(handle, release);
    return handle;
  }

  async function run(step: StepInput, runOptions: RunOptions = {}): Promise<RunResult> {
    checkOptions("run", runOptions, RUN_OPTIONS);
    const { onEvent, ...startOptions } = runOptions;
    const events = createEventQueue();
    if (onEvent === undefined) events.discard();
    const handle = begin(step, startOptions, events);
    const follow = async (): Promise<StepResult> => {
      if (onEvent !== undefined) for await (const event of handle) await onEvent(event);
      return handle.result;
    };
    const [outcome] = await Promise.allSettled([follow()]);
    await handle[Symbol.asyncDispose]();
    const { unreleased } = await handle.closed;
    if (outcome.status === "rejected") throw withUnreleased(outcome.reason, unreleased);
    return { ...outcome.value, unreleased };
  }

  async function close({ graceMs = DEFAULT_CLOSE_GRACE_MS }: CloseOptions = {}): Promise<ReleaseReport> {
    const giveUpAt = performance.now() + graceMs;
    const ended = Promise.all([...running.keys()].map((handle) => handle[Symbol.asyncDispose]()));
    const late = startTimer(graceMs);
    const tooLate = startTimer(graceMs + KILLED_MS);
    void late.fired.then(() => {
      for (const handle of running.keys()) handle.kill();
    });
    await Promise.race([ended, tooLate.fired]);
    late.cancel();
    tooLate.cancel();
    const unended = [...running.values()].flatMap(({ left }) => left);
    const leftMs = Math.min(Math.max(giveUpAt - performance.now(), RELEASE_MS.least), RELEASE_MS.most);
    const unreleased = [...unended, ...(await unfinished.finish(leftMs))];
    for (const { id } of unreleased) abandonedSteps.add(id);
    await Promise.all([keptLogs.close(), context.reaper.close(leftMs)]);
    await context.machines.close();
    return { unreleased };
  }

  return {
    start: (step, startOptions = {}) => begin(step, startOptions, createEventQueue()),
    run,
    async reap(reapOptions = {}) {
      checkOptions("reap", reapOptions, REAP_OPTIONS);
      checkOpen(closing === undefined);
      return context.reaper.reap(reapOptions).catch((reason: unknown) => {
        const { signal } = new AbortController();
        throw toExecutorError(reason, { stop: signal, forceKill: signal }, undefined);
      });
    },
    close(closeOptions) {
      try {
        checkOptions("close", closeOptions, CLOSE_OPTIONS);
      } catch (reason) {
        return Promise.reject(reason);
      }
      closing ??= close(closeOptions);
      return closing;
    },
    async [Symbol.asyncDispose]() {
      closing ??= close();
      await closing;
    },
  };
}

/** @throws ExecutorError `closed`. */
function checkOpen(isOpen: boolean): void {
  if (isOpen) return;
  throw new ExecutorError("the executor is closed, and starts no more steps; create another one", {
    kind: "closed",
  });
}

/** The events of a step. After the last one, throws the error of a step that could not be run. */
async function* endingWith(
  events: AsyncGenerator<StepEvent, void, undefined>,
  result: Promise<StepResult>,
): AsyncGenerator<StepEvent, void, undefined> {
  yield* events;
  await result;
}

/** The same error, which also tells what is left of its step. */
function withUnreleased(reason: unknown, unreleased: readonly UnreleasedResource[]): unknown {
  if (!isExecutorError(reason) || unreleased.length === 0) return reason;
  const { message, kind, issues, cause, stack } = reason;
  const error = new ExecutorError(message, { kind, issues, cause, unreleased });
  return Object.assign(error, { stack });
}
