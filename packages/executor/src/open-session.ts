import type { Client, Snapshot } from "@wfe-containerd/client";
import type { OptionNames } from "@wfe-containerd/client/internal";
import { checkSnapshotName, SNAPSHOT_LABELS } from "./core/plan/session-snapshot.js";
import { WAITER_PATH } from "./core/plan/waiter.js";
import { refuse } from "./core/refuse.js";
import { PROCESS_FIELDS } from "./core/step/session-fields.js";
import { lineOf } from "./core/step/spelling.js";
import type { StepInput } from "./core/step/step-input.js";
import { toSnakeCase } from "./core/units/name-case.js";
import { ExecutorError, isExecutorError, type StepIssue } from "./error.js";
import type { ExecInput } from "./exec-input.js";
import { RUN_OPTIONS, type StartOptions } from "./executor-options.js";
import { toExecutorError } from "./failure.js";
import type { StepHandle } from "./handle.js";
import { createEventQueue, type EventQueue } from "./log/event-queue.js";
import { checkOptions } from "./options.js";
import type { LeftDeadline } from "./record/left-deadline.js";
import { runToEnd } from "./run-to-end.js";
import type {
  ConnectOptions,
  OpenOptions,
  Session,
  SessionCloseOptions,
  SessionDeadlines,
  SessionEnd,
  SessionEndReason,
  SessionInput,
  SnapshotOptions,
  SnapshotSessionInput,
} from "./session.js";
import { checkDeadlines, startDeadlines } from "./session-deadlines.js";
import { createSessionFiles } from "./session-files.js";
import { snapshotSession } from "./session-snapshots.js";
import { watchUsage } from "./session-usage.js";
import { missingSnapshot, snapshotsNamed } from "./snapshots/session-snapshot.js";
import { type ExecKind, type ExecParts, startExec } from "./start-exec.js";
import { startTimer } from "./timer.js";

const DEADLINES: OptionNames<SessionDeadlines> = { idleTimeoutMs: true, lifetimeMs: true };
const OPEN_OPTIONS: Readonly<Record<keyof OpenOptions, true>> = {
  ...DEADLINES,
  signal: true,
  secrets: true,
  data: true,
  detached: true,
  onEvent: true,
};
export const CONNECT_OPTIONS: OptionNames<ConnectOptions> = { ...DEADLINES, secrets: true };
const SNAPSHOT_OPTIONS: OptionNames<SnapshotOptions> = { replace: true };
const CLOSE_OPTIONS: OptionNames<SessionCloseOptions> = { graceMs: true };
const DEFAULT_GRACE_MS = 10_000;

/** The fields of a step that each step of a session has for itself. */
const STEP_FIELDS: Readonly<Record<Exclude<keyof StepInput, keyof SessionInput>, true>> = PROCESS_FIELDS;

/** The fields of a step that a session does not have if it starts from a snapshot. */
const IMAGE_FIELDS: Readonly<Record<Exclude<keyof SessionInput, keyof SnapshotSessionInput>, true>> = {
  image: true,
  pull: true,
  registryAuth: true,
  containerdAddr: true,
  tls: true,
};

/** What makes the container of a session. */
export interface SessionHost {
  /** Starts the step that the container is. */
  begin(
    step: StepInput,
    options: StartOptions,
    kind: { readonly events: EventQueue; readonly from: Snapshot | undefined; readonly isLeft: boolean },
  ): StepHandle;
  /** Connects to a session that was opened with `detached`. */
  connect(id: string, options: ConnectOptions): Promise<Session>;
  /** The executor's own daemon. */
  ownClient(): Promise<Client>;
}

/**
 * Opens a session: a step whose process only waits, and to whose container further processes are added.
 *
 * @throws ExecutorError if the container could not be made.
 */
export async function openSession(
  execs: ExecParts,
  input: SessionInput | SnapshotSessionInput,
  options: OpenOptions,
  { begin, connect, ownClient }: SessionHost,
): Promise<Session> {
  checkOptions("open", options, OPEN_OPTIONS);
  const { idleTimeoutMs, lifetimeMs, onEvent, detached: isLeft = false, ...startOptions } = options;
  checkDeadlines(options);
  refuseFields(input, STEP_FIELDS, "belongs to a step of the session", (field) => {
    return `${field} in session.run or session.start`;
  });
  const { step, from } = await findStart(input, ownClient);
  if (isLeft && step.containerdAddr !== undefined)
    refuse(
      "detached",
      "connect finds sessions on the executor's own daemon",
      "a session without containerd_addr",
    );
  const events = createEventQueue();
  if (onEvent === undefined) events.discard();
  const waiting = { ...step, command: [WAITER_PATH], stopSignal: "TERM" };
  const limited = isLeft && lifetimeMs !== undefined ? { ...waiting, timeoutMs: lifetimeMs } : waiting;
  const handle = begin(limited, startOptions, { events, from, isLeft });
  try {
    if (onEvent !== undefined) await tellUntilItRuns(events, onEvent);
    await handle.started;
  } catch (reason) {
    handle.kill();
    await handle.closed;
    throw reason;
  }
  if (isLeft) {
    await handle.closed;
    return connect(handle.id, { idleTimeoutMs, lifetimeMs, secrets: options.secrets });
  }
  const end = async (graceMs: number): Promise<void> => {
    if (graceMs > 0) await stopWithin(handle, graceMs);
    handle.kill();
    await handle[Symbol.asyncDispose]();
  };
  return sessionOf(execs, { handle, end, leave: undefined }, input.name, options);
}

/** Asks all processes of the container to end, and waits for so long. */
async function stopWithin(handle: StepHandle, graceMs: number): Promise<void> {
  handle.stop();
  const late = startTimer(graceMs);
  await Promise.race([handle.closed, late.fired]);
  late.cancel();
}

/** Later events are dropped: nobody waits for them. */
async function tellUntilItRuns(
  events: EventQueue,
  onEvent: NonNullable<OpenOptions["onEvent"]>,
): Promise<void> {
  for await (const event of events.iterate()) {
    await onEvent(event);
    if (event.type === "phase" && event.phase === "running") return;
  }
}

/** The first process of a session, as the session sees it. */
export interface SessionProcess {
  readonly handle: Pick<StepHandle, "id" | "result" | "closed">;
  /**
   * Ends it and all other processes of the container, which may end by themselves for so long, and releases
   * the container.
   */
  end(graceMs: number): Promise<void>;
  /** Lets go of it. Undefined: it ends with this process. */
  readonly leave: (() => Promise<void>) | undefined;
  /** When its life time is over, also without a process. Undefined: it has none without this process. */
  readonly deadline?: LeftDeadline | undefined;
}

export function sessionOf(
  execs: ExecParts,
  process: SessionProcess,
  name: string,
  options: SessionDeadlines,
): Session {
  const { host } = execs;
  const running = new Set<StepHandle>();
  let reason: SessionEndReason | undefined;
  let closing: Promise<SessionEnd> | undefined;
  const ending = new AbortController();
  const usage = watchUsage(execs);
  const clock = startDeadlines(options, (over, isStillOver) => void onOver(over, isStillOver));
  const ended = process.handle.result
    .then(
      ({ cause }) => ({ reason: reason ?? cause }),
      (error: unknown) => {
        // Its following was ended here, which is no error.
        if (process.leave !== undefined && isExecutorError(error, "aborted"))
          return { reason: reason ?? "disconnected" };
        return { reason: reason ?? "lost", ...(isExecutorError(error) && { error }) };
      },
    )
    .then(async (end): Promise<SessionEnd> => {
      clock.stop();
      ending.abort();
      return { ...end, ...(await process.handle.closed) };
    });

  async function onOver(over: "idle" | "lifetime", isStillOver: () => boolean): Promise<void> {
    const isUsed = over === "idle" && (await usage.isUsedElsewhere());
    // Another process may have put it off.
    const leftMs = over === "lifetime" ? await process.deadline?.leftMs().catch(() => 0) : 0;
    // While the daemon was asked, a step may have begun here.
    if (!isStillOver()) return;
    if (isUsed) return clock.restartIdle();
    if (leftMs) return clock.extend({ lifetimeMs: leftMs });
    reason ??= over;
    closing ??= close(0);
  }

  async function stopSteps(graceMs: number): Promise<void> {
    for (const step of running) step.stop();
    const late = startTimer(graceMs);
    await Promise.race([Promise.all([...running].map(({ closed }) => closed)), late.fired, ended]);
    late.cancel();
  }

  /** What is not its own is not ended by it. */
  async function letGo(leave: () => Promise<void>): Promise<SessionEnd> {
    reason ??= "disconnected";
    clock.stop();
    ending.abort();
    await stopSteps(DEFAULT_GRACE_MS);
    await leave();
    return ended;
  }

  async function close(graceMs: number): Promise<SessionEnd> {
    const giveUpAt = performance.now() + graceMs;
    reason ??= "closed";
    clock.stop();
    ending.abort();
    if (host.isPaused) await resume().catch(() => undefined);
    await stopSteps(graceMs);
    await process.end(Math.max(0, giveUpAt - performance.now()));
    return ended;
  }

  function start(step: ExecInput, kind: ExecKind = {}): StepHandle {
    const leave = clock.enter();
    const started = startExec(execs, step, kind);
    running.add(started);
    void started.closed.then(() => {
      running.delete(started);
      leave();
      if (process.leave !== undefined) usage.tell();
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
    await host.freezer.thaw(resolved.machine.client, plan.id);
  }

  return {
    id: process.handle.id,
    name,
    ended,
    files: createSessionFiles(host, (process) => start(process, { isRaw: true })),
    start(step, { secrets, ...processOptions } = {}) {
      return start({ ...step, ...processOptions }, { secrets });
    },
    async run(step, runOptions = {}) {
      checkOptions("run", runOptions, RUN_OPTIONS);
      const { onEvent, secrets, ...processOptions } = runOptions;
      return runToEnd((events) => start({ ...step, ...processOptions }, { events, secrets }), onEvent);
    },
    async extend(deadlines) {
      checkOptions("extend", deadlines, DEADLINES);
      checkDeadlines(deadlines);
      const { lifetimeMs } = deadlines;
      try {
        if (lifetimeMs !== undefined) await process.deadline?.set(lifetimeMs);
      } catch (reason) {
        throw toExecutorError(reason);
      }
      clock.extend(deadlines);
    },
    pause,
    resume,
    async snapshot(snapshotName, snapshotOptions = {}) {
      checkOptions("snapshot", snapshotOptions, SNAPSHOT_OPTIONS);
      const leave = clock.enter();
      try {
        if (process.leave !== undefined) usage.tell();
        return await snapshotSession(execs, snapshotName, snapshotOptions.replace ?? false, ending.signal);
      } finally {
        leave();
      }
    },
    async disconnect() {
      if (process.leave === undefined)
        refuse(
          "disconnect",
          "the session ends with the process that opened it",
          "a session that was opened with detached: true, or that connect gave",
        );
      closing ??= letGo(process.leave);
      await closing;
    },
    async close(closeOptions = {}) {
      checkOptions("close", closeOptions, CLOSE_OPTIONS);
      closing ??= close(closeOptions.graceMs ?? DEFAULT_GRACE_MS);
      return closing;
    },
    async [Symbol.asyncDispose]() {
      closing ??= process.leave === undefined ? close(DEFAULT_GRACE_MS) : letGo(process.leave);
      await closing;
    },
  };
}

/** Finds the snapshot that a session starts from, and what the session's image is called. */
async function findStart(
  input: SessionInput | SnapshotSessionInput,
  ownClient: () => Promise<Client>,
): Promise<{ readonly step: SessionInput; readonly from?: Snapshot }> {
  if (!isFromSnapshot(input)) return { step: input };
  refuseFields(input, IMAGE_FIELDS, "cannot be used together with from", () => "either an image or from");
  const { from, ...step } = input;
  checkSnapshotName("from", from);
  try {
    const client = await ownClient();
    const [snapshot] = await snapshotsNamed(client, from);
    if (snapshot === undefined) throw missingSnapshot(client, from);
    // The policy looks at the image.
    return { step: { ...step, image: snapshot.labels[SNAPSHOT_LABELS.image] ?? "" }, from: snapshot };
  } catch (reason) {
    throw toExecutorError(reason);
  }
}

function isFromSnapshot(input: SessionInput | SnapshotSessionInput): input is SnapshotSessionInput {
  return typeof input === "object" && input !== null && "from" in input && input.from !== undefined;
}

/** @throws ExecutorError `invalid-step` for fields that the session cannot have. */
function refuseFields(
  input: object,
  fields: Readonly<Record<string, true>>,
  message: string,
  allowedFor: (field: string) => string,
): void {
  const names = Object.keys(fields).flatMap((name) => [name, toSnakeCase(name)]);
  const given = Object.entries(input ?? {}).filter(
    ([field, value]) => value !== undefined && names.includes(field),
  );
  const issues = given.map(([field]): StepIssue => ({ field, message, allowed: allowedFor(field) }));
  if (issues.length === 0) return;
  throw new ExecutorError(`the session is not valid: ${issues.map(lineOf).join("; ")}`, {
    kind: "invalid-step",
    issues,
  });
}
