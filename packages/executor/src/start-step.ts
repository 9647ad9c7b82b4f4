import type { Snapshot } from "@wfe-containerd/client";
import { createDeferred, type Deferred, type Semaphore } from "@wfe-containerd/client/internal";
import type { AbortRelay } from "./abort-relay.js";
import { type AdmittedStep, admitStep, inWordsOf } from "./admit-step.js";
import type { StepResult } from "./core/output/result.js";
import type { LeftStep } from "./core/plan/labels.js";
import type { StepRecord } from "./core/recovery/step-record.js";
import { refuse } from "./core/refuse.js";
import type { StepInput } from "./core/step/step-input.js";
import { traceStep } from "./diagnostics/step.js";
import type { ExecutorError } from "./error.js";
import { createExecHost, type ExecHost } from "./exec-host.js";
import type { StartOptions } from "./executor-options.js";
import { toExecutorError } from "./failure.js";
import type { StepHandle } from "./handle.js";
import type { StdinSource } from "./io/stdin-source.js";
import { leaveStep } from "./leave-step.js";
import { createEventQueue, type EventQueue } from "./log/event-queue.js";
import type { KeptLogs } from "./log/kept-logs.js";
import { createLog } from "./log/log.js";
import { endingWith } from "./open-handle.js";
import type { StopSignals } from "./process/stop-signals.js";
import type { ClaimedStep } from "./record/claim.js";
import type { RecoveredStep } from "./record/recover.js";
import { resizeTerminal } from "./resize.js";
import { createRelease } from "./resources/release.js";
import type { UnfinishedReleases } from "./resources/unfinished-releases.js";
import { type AttemptParts, runAttempts } from "./run-attempts.js";
import { followStep, recoverStep } from "./run-step.js";
import type { ExecutorContext, ProcessStreams } from "./stages/context.js";
import type { HostContainer } from "./stages/create-exec.js";
import type { FoundContainer } from "./stages/find-container.js";
import { startAttempt } from "./start-attempt.js";
import { type ExecParts, startExec } from "./start-exec.js";
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
  /** How processes get into the container of the step. */
  execsOf(host: ExecHost): ExecParts;
}

/** A step that was started, as its executor sees it. */
export interface StartedStep {
  readonly handle: StepHandle;
  /** What an attempt that has not ended has acquired. */
  readonly left: readonly UnreleasedResource[];
  /** Stops the step. One that waits for its turn fails with this error. */
  stop(reason: ExecutorError): void;
}

/** What runs a step gets from its handle. */
interface HandledStep {
  readonly signals: StopSignals;
  readonly events: EventQueue;
  readonly started: Deferred<void>;
  readonly result: Deferred<StepResult>;
  /** From now on the step is left to itself. */
  leave(): void;
  /** Makes the parts of an attempt that begins. */
  begin(): AttemptParts;
  /** Takes over the parts of an attempt that is over. */
  end(parts: AttemptParts): void;
}

/** How a step is started. */
export interface StartKind {
  readonly events: EventQueue;
  /** The processes of the session that the step is. */
  readonly session?: ExecHost | undefined;
  /** The step is left to itself as soon as its process runs. */
  readonly left?: LeftStep | undefined;
  /** Whether its standard input stays open, for whoever attaches to it. */
  readonly openStdin?: boolean | undefined;
  /** The snapshot that the session is started from, in place of an image. */
  readonly from?: Snapshot | undefined;
}

/** Starts a step. Never throws: what is wrong with it rejects the handle's `result`. */
export function startStep(
  host: StepHost,
  input: StepInput,
  options: StartOptions,
  { events, session, from, left, openStdin = false }: StartKind,
): StartedStep {
  const { signal, data = {}, secrets = {}, priority = 0, stdin, terminal, canLeave = false } = options ?? {};
  const canOutlive = canLeave || left !== undefined;
  const streams: ProcessStreams = {
    stdin,
    terminal,
    openStdin: openStdin || (canLeave && stdin !== undefined),
    canOutlive,
  };
  const isSession = session !== undefined;
  const { id, attempt, error } = startAttempt(input, options ?? {});
  const checkCall = (): void => {
    host.checkStart(options);
    if (error !== undefined) throw error;
  };

  function admit({ signals, started, result }: HandledStep): AdmittedStep | undefined {
    try {
      const admitted = admitStep({ input, checkCall, data, secrets, attempt, left }, host.context.rules);
      checkRepeatable(stdin, admitted.step.retry.attempts);
      return admitted;
    } catch (reason) {
      const told = inWordsOf(input, toExecutorError(reason, signals));
      started.reject(told);
      result.reject(told);
      return undefined;
    }
  }

  const handle = { id, signal, hasTerminal: terminal !== undefined, canOutlive, session, events };
  return handleStep(host, handle, async (handled) => {
    const admitted = admit(handled);
    const { context: executor, slots } = host;
    let hasBegun = false;
    const begin = (): AttemptParts => {
      hasBegun = true;
      return handled.begin();
    };
    if (admitted !== undefined)
      await runAttempts({ ...handled, admitted, executor, slots, priority, streams, isSession, from, begin });
    // A step that never began is one that failed, for whoever observes.
    if (!hasBegun) await traceStep({ ...handled, id, attempt: 1, admitted: { input } }, async () => []);
  });
}

/** Goes on with a step whose executor has ended. It runs already, so it waits for no slot. Never throws. */
export function resumeStep(host: StepHost, step: RecoveredStep): StartedStep {
  const events = createEventQueue();
  const record = "claimed" in step ? recordOf(step.claimed) : undefined;
  const handle = {
    id: step.id,
    events,
    hasTerminal: record?.terminal === true,
    // What goes through pipes would be lost.
    canOutlive: record?.output.mode === "file",
  };
  return handleStep(host, handle, async ({ begin, end, ...handled }) => {
    if ("error" in step) {
      handled.started.reject(step.error);
      handled.result.reject(step.error);
      return;
    }
    const parts = begin();
    const way = { ...parts, ...handled, attempt: 1, streams: {}, executor: host.context };
    await recoverStep(way, step.claimed, step.masked);
    end(parts);
  });
}

function recordOf({ step: { found } }: ClaimedStep): StepRecord | undefined {
  return found.kind === "record" ? found.record : undefined;
}

/** How a step of another process is followed. */
export interface AttachedStep {
  /** Aborting it ends the following. */
  readonly signal?: AbortSignal | undefined;
  /** Undefined: it does not run. Otherwise processes can be added to it. */
  readonly container: HostContainer | undefined;
  /** The processes of the session that the step is. */
  readonly session?: ExecHost | undefined;
  /** Writes into the step's standard input, until this settles. Rejects if its source fails. */
  readonly feed?: ((ended: Promise<void>) => Promise<void>) | undefined;
}

/** Follows a step that another process has started. Never throws. */
export function attachStep(
  host: StepHost,
  found: FoundContainer,
  masked: readonly Uint8Array[],
  { signal, container, session, feed }: AttachedStep,
): StartedStep {
  const { id } = found.step;
  const hasTerminal = found.record.terminal === true;
  const handle = { id, signal, session, hasTerminal, events: createEventQueue() };
  return handleStep(host, handle, async (handled) => {
    const { begin, end, ...rest } = handled;
    const parts = begin();
    if (container === undefined) await parts.execs.end();
    else parts.execs.open(container);
    const way = { ...parts, ...rest, attempt: 1, streams: {}, executor: host.context };
    const ended = createDeferred<void>();
    const fed = feed?.(ended.promise).catch((reason: unknown) => rest.result.reject(reason));
    await followStep(way, found, masked);
    ended.resolve();
    await fed;
    end(parts);
  });
}

interface HandleOptions {
  readonly id: string;
  readonly signal?: AbortSignal | undefined;
  /** @default false */
  readonly hasTerminal?: boolean;
  /** Whether it can be left to itself. @default false */
  readonly canOutlive?: boolean;
  /** The processes of the session that the step is. */
  readonly session?: ExecHost | undefined;
  readonly events: EventQueue;
}

/** Gives a step its handle, and sees it to its end. */
function handleStep(
  host: StepHost,
  { id, signal, hasTerminal = false, canOutlive = false, session, events }: HandleOptions,
  runToEnd: (step: HandledStep) => Promise<void>,
): StartedStep {
  const stop = new AbortController();
  const forceKill = new AbortController();
  const left = new AbortController();
  const signals = { stop: stop.signal, forceKill: forceKill.signal, leave: left.signal };
  const disconnect = signal === undefined ? undefined : host.aborts.connect(signal, stop);

  const started = createDeferred<void>();
  const result = createDeferred<StepResult>();
  // A caller may await only `closed`. Then a rejection must not end the process.
  started.promise.catch(() => undefined);
  result.promise.catch(() => undefined);

  let newest = createParts(id, session);
  const attempts: AttemptParts[] = [];
  let running: AttemptParts | undefined;

  function begin(): AttemptParts {
    if (attempts.length > 0) newest = createParts(createStepId());
    attempts.push(newest);
    running = newest;
    return newest;
  }

  function end({ log, release }: AttemptParts): void {
    running = undefined;
    host.keptLogs.add(log);
    if (release.left.length > 0) host.unfinished.add(release);
  }

  async function run(): Promise<ReleaseReport> {
    const leave = (): void => left.abort();
    await runToEnd({ signals, events, started, result, leave, begin, end });
    newest.log.end();
    events.close();
    disconnect?.();
    return { unreleased: attempts.flatMap(({ release }) => release.left) };
  }

  const closed = run();
  const leaving = {
    canOutlive,
    closed,
    started: started.promise,
    result: result.promise,
    isOwn: () => newest.release.has("task"),
    leave: () => left.abort(),
  };
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
    exec: (process) => startExec(host.execsOf(newest.execs), process),
    resize: (size) => resizeTerminal({ host: newest.execs, started: started.promise, hasTerminal }, size),
    leave: (afterEnd = "keep") => leaveStep({ ...leaving, host: newest.execs }, afterEnd),
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

function createParts(id: string, session?: ExecHost): AttemptParts {
  const execs = session ?? createExecHost("the step");
  return { id, log: createLog(), release: createRelease(id), execs };
}

/** @throws ExecutorError `refused` for an input that a second attempt could not read again. */
function checkRepeatable(stdin: StdinSource | undefined, attempts: number): void {
  if (attempts === 1 || stdin === undefined || typeof stdin === "string" || stdin instanceof Uint8Array)
    return;
  refuse("stdin", "can be read only once, and the step has retry", "text or bytes; or a step without retry");
}
