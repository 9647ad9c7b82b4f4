import type { OptionNames } from "@wfe-containerd/client/internal";
import { WAITER_PATH } from "./core/plan/waiter.js";
import { PROCESS_FIELDS } from "./core/step/session-fields.js";
import { lineOf } from "./core/step/spelling.js";
import type { StepInput } from "./core/step/step-input.js";
import { toSnakeCase } from "./core/units/name-case.js";
import { ExecutorError, isExecutorError, type StepIssue } from "./error.js";
import type { ExecInput } from "./exec-input.js";
import { RUN_OPTIONS, type StartOptions } from "./executor-options.js";
import type { StepHandle } from "./handle.js";
import { createEventQueue, type EventQueue } from "./log/event-queue.js";
import { checkOptions } from "./options.js";
import { runToEnd } from "./run-to-end.js";
import type {
  OpenOptions,
  Session,
  SessionCloseOptions,
  SessionDeadlines,
  SessionEnd,
  SessionEndReason,
  SessionInput,
} from "./session.js";
import { checkDeadlines, startDeadlines } from "./session-deadlines.js";
import { createSessionFiles } from "./session-files.js";
import { type ExecParts, startExec } from "./start-exec.js";
import { startTimer } from "./timer.js";

const DEADLINES: OptionNames<SessionDeadlines> = { idleTimeoutMs: true, lifetimeMs: true };
const OPEN_OPTIONS: Readonly<Record<keyof OpenOptions, true>> = {
  ...DEADLINES,
  signal: true,
  secrets: true,
  data: true,
};
const CLOSE_OPTIONS: OptionNames<SessionCloseOptions> = { graceMs: true };
const { secrets: _, ...STEP_OPTIONS } = RUN_OPTIONS;
const DEFAULT_GRACE_MS = 10_000;

/** The fields of a step that each step of a session has for itself. */
const STEP_FIELDS: Readonly<Record<Exclude<keyof StepInput, keyof SessionInput>, true>> = PROCESS_FIELDS;

/** Starts the step that is a session's container. */
type Begin = (step: StepInput, options: StartOptions, events: EventQueue) => StepHandle;

/**
 * Opens a session: a step whose process only waits, and to whose container further processes are added.
 *
 * @throws ExecutorError if the container could not be made.
 */
export async function openSession(
  execs: ExecParts,
  input: SessionInput,
  options: OpenOptions,
  begin: Begin,
): Promise<Session> {
  checkOptions("open", options, OPEN_OPTIONS);
  const { idleTimeoutMs, lifetimeMs, ...startOptions } = options;
  checkDeadlines(options);
  refuseStepFields(input);
  const events = createEventQueue();
  events.discard();
  // The program that waits ignores all other signals.
  const handle = begin({ ...input, command: [WAITER_PATH], stopSignal: "KILL" }, startOptions, events);
  try {
    await handle.started;
  } catch (reason) {
    await handle.closed;
    throw reason;
  }
  return sessionOf(execs, handle, input.name, options);
}

function sessionOf(execs: ExecParts, handle: StepHandle, name: string, options: OpenOptions): Session {
  const { host } = execs;
  const running = new Set<StepHandle>();
  let reason: SessionEndReason | undefined;
  let closing: Promise<SessionEnd> | undefined;
  const clock = startDeadlines(options, (over) => {
    reason ??= over;
    void close(0);
  });
  const ended = handle.result
    .then(
      ({ cause }) => ({ reason: reason ?? cause }),
      (error: unknown) => ({ reason: reason ?? "lost", ...(isExecutorError(error) && { error }) }),
    )
    .then(async (end): Promise<SessionEnd> => {
      clock.stop();
      return { ...end, ...(await handle.closed) };
    });

  async function close(graceMs: number): Promise<SessionEnd> {
    reason ??= "closed";
    clock.stop();
    if (host.isPaused) await resume().catch(() => undefined);
    for (const step of running) step.stop();
    const late = startTimer(graceMs);
    await Promise.race([Promise.all([...running].map(({ closed }) => closed)), late.fired, ended]);
    late.cancel();
    handle.kill();
    await handle[Symbol.asyncDispose]();
    return ended;
  }

  function start(step: ExecInput, events?: EventQueue, isRaw = false): StepHandle {
    const leave = clock.enter();
    const started = startExec(execs, step, events, isRaw);
    running.add(started);
    void started.closed.then(() => {
      running.delete(started);
      leave();
    });
    return started;
  }

  async function pause(): Promise<void> {
    const { plan, resolved } = host.enter();
    // Not at the same time as another process is being added.
    await host.freezer.freeze(resolved.machine.client, plan.id);
    host.isPaused = true;
  }

  async function resume(): Promise<void> {
    host.isPaused = false;
    const { plan, resolved } = host.enter();
    await resolved.machine.client.tasks.resume(plan.id);
  }

  return {
    id: handle.id,
    name,
    ended,
    files: createSessionFiles(host, (process) => start(process, undefined, true)),
    start(step, processOptions = {}) {
      return start({ ...step, ...processOptions });
    },
    async run(step, runOptions = {}) {
      checkOptions("run", runOptions, STEP_OPTIONS);
      const { onEvent, ...processOptions } = runOptions;
      return runToEnd((events) => start({ ...step, ...processOptions }, events), onEvent);
    },
    extend(deadlines) {
      checkOptions("extend", deadlines, DEADLINES);
      checkDeadlines(deadlines);
      clock.extend(deadlines);
    },
    pause,
    resume,
    async close(closeOptions = {}) {
      checkOptions("close", closeOptions, CLOSE_OPTIONS);
      closing ??= close(closeOptions.graceMs ?? DEFAULT_GRACE_MS);
      return closing;
    },
    async [Symbol.asyncDispose]() {
      closing ??= close(DEFAULT_GRACE_MS);
      await closing;
    },
  };
}

/** @throws ExecutorError `invalid-step` for fields that each step of a session has for itself. */
function refuseStepFields(input: SessionInput): void {
  const names = Object.keys(STEP_FIELDS).flatMap((name) => [name, toSnakeCase(name)]);
  const given = Object.entries(input ?? {}).filter(
    ([field, value]) => value !== undefined && names.includes(field),
  );
  const issues = given.map(
    ([field]): StepIssue => ({
      field,
      message: "belongs to a step of the session",
      allowed: `${field} in session.run or session.start`,
    }),
  );
  if (issues.length === 0) return;
  throw new ExecutorError(`the session is not valid: ${issues.map(lineOf).join("; ")}`, {
    kind: "invalid-step",
    issues,
  });
}
