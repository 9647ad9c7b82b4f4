import type { StepEndCause } from "./core/output/cause.js";
import type { ExecFields } from "./core/step/exec.js";
import type { StepInput } from "./core/step/step-input.js";
import type { ExecutorError } from "./error.js";
import type { ProcessOptions } from "./exec-input.js";
import type { RunOptions, StartOptions } from "./executor-options.js";
import type { StepHandle } from "./handle.js";
import type { ListedStep } from "./record/steps.js";
import type { RunResult } from "./run-to-end.js";
import type { SessionFiles } from "./session-files.js";
import type { SessionSnapshot } from "./snapshots/session-snapshot.js";
import type { ReleaseReport } from "./unreleased.js";

export type { SessionFiles } from "./session-files.js";

/** What a session's container is made of: the fields of a step, without those of its process. */
export interface SessionInput
  extends Omit<
    StepInput,
    | "run"
    | "shell"
    | "command"
    | "args"
    | "init"
    | "timeout"
    | "timeoutMs"
    | "stopSignal"
    | "stopGrace"
    | "stopGraceMs"
    | "maxLogBytes"
    | "onLogLimit"
    | "retry"
  > {}

/**
 * What a session's container is made of, if it starts from the snapshot of another session and not from an
 * image. Variables, user and working directory of the image are still those of that session's image.
 */
export interface SnapshotSessionInput
  extends Omit<SessionInput, "image" | "pull" | "registryAuth" | "containerdAddr" | "tls"> {
  /** Name of a snapshot: see `Session.snapshot`. */
  readonly from: string;
}

/** A step of a session: the fields of a step that do not make a container. */
export interface SessionStep extends ExecFields {
  /**
   * Secrets for this step alone: each is a name, or `{ name, mask }`. Each is a file in memory that only the
   * step's user can read, `$WFE_SECRETS_DIR/NAME`, until the step has ended. The values come from the option
   * `secrets` of `session.run` or `session.start`. They are masked in the output, unless `mask` is false.
   * Default: none besides those of the session.
   */
  readonly secrets?:
    | readonly (string | { readonly name: string; readonly mask?: boolean | undefined })[]
    | undefined;
}

/** Options of `Session.start`. */
export interface SessionStepOptions extends ProcessOptions, Pick<StartOptions, "secrets"> {}

/** How long a session stays, in milliseconds. */
export interface SessionDeadlines {
  /** It is closed when no step has run for so long. Default: never. */
  readonly idleTimeoutMs?: number | undefined;
  /** It is closed after this time, also while a step runs. Default: never. */
  readonly lifetimeMs?: number | undefined;
}

/** Options of `Executor.open`. */
export interface OpenOptions extends SessionDeadlines, Pick<StartOptions, "signal" | "secrets" | "data"> {
  /**
   * Whether the session goes on when this process lets go of it, or ends: see `Session.disconnect`. Then
   * nobody counts its idle time until a process connects to it, and its life time is over at the next `reap`.
   *
   * @default false
   */
  readonly detached?: boolean | undefined;
  /**
   * Called with each event of the container until it runs, in order: the pull of its image, for example. The
   * next call waits for the promise of this one. If it throws, the container is removed.
   */
  readonly onEvent?: RunOptions["onEvent"];
}

/**
 * Options of `Executor.connect`. To give `lifetimeMs` is as to call `Session.extend` with it: it takes the
 * place of what a session of `detached` had.
 */
export interface ConnectOptions extends SessionDeadlines, Pick<StartOptions, "secrets"> {}

/** A session on a daemon. */
export interface ListedSession {
  /** The container's id in containerd. */
  readonly id: string;
  readonly name: string;
  readonly image: string;
  readonly status: ListedStep["status"];
  /** Whether the process that opened it lives. `left`: it was opened with `detached`. */
  readonly executor: ListedStep["executor"];
  readonly createdAt: Date | undefined;
}

/** Options of `Session.close`. */
export interface SessionCloseOptions {
  /**
   * How long the steps that run may take to end after their stop signal, in milliseconds. What they have left
   * in the background gets SIGTERM then, and what remains of the time, at most 10 seconds.
   *
   * @default 10_000
   */
  readonly graceMs?: number | undefined;
}

/** Options of `Session.snapshot`. */
export interface SnapshotOptions {
  /**
   * Whether it takes the place of a snapshot that has the name already.
   *
   * @default false
   */
  readonly replace?: boolean | undefined;
}

/**
 * Why a session has ended.
 *
 * - `closed`: by `close()`. `aborted`: by its signal, or with its executor.
 * - `idle`, `lifetime`: its time was over.
 * - `disconnected`: it goes on without this process.
 * - `lost`: the daemon could not be reached for too long; `error` tells more.
 * - any other: what became of its first process, as the cause of a step. `signal`: somebody killed it. `oom`:
 *   the kernel did, at the memory limit. `timeout`: the longest time that the policy allows is over.
 */
export type SessionEndReason = "closed" | "disconnected" | "idle" | "lifetime" | "lost" | StepEndCause;

/** How a session has ended. */
export interface SessionEnd extends ReleaseReport {
  readonly reason: SessionEndReason;
  readonly error?: ExecutorError | undefined;
}

/** A container that stays, for any number of steps that share its files. */
export interface Session extends AsyncDisposable {
  /** The container's id in containerd. */
  readonly id: string;
  readonly name: string;
  /** Puts files into the container, and gets them out. */
  readonly files: SessionFiles;
  /** Resolves when the session has ended and its container is removed. Never rejects. */
  readonly ended: Promise<SessionEnd>;
  /**
   * Starts a step in the container, and returns at once. Never throws: a step that cannot be started rejects
   * the handle's `result`. The end of the session ends it, with the cause `container-ended`.
   */
  start(step: SessionStep, options?: SessionStepOptions): StepHandle;
  /**
   * Runs a step to its end.
   *
   * @throws ExecutorError if the step could not be run, `refused` after the session's end. A step that ran
   * and failed is a result.
   */
  run(step: SessionStep, options?: RunOptions): Promise<RunResult>;
  /**
   * Counts the deadlines anew from now on. One that is not given stays as it was. The life time of a session
   * that was opened with `detached` also counts without this process, and then for all processes.
   *
   * @throws ExecutorError `invalid-argument`; for such a session also `refused` if its executor's policy
   * allows no such life time, or it has ended, and `daemon-unavailable`. Then nothing has changed.
   */
  extend(deadlines: SessionDeadlines): Promise<void>;
  /** Freezes all processes. Until `resume`, no step can be started. Deadlines go on. */
  pause(): Promise<void>;
  /** Lets the processes go on. */
  resume(): Promise<void>;
  /**
   * Keeps the container's file system under a name. `Executor.open({ from: name })` starts another session
   * from it, as often as wanted. The session goes on.
   *
   * Meanwhile all its processes stand still, so that no file is kept half written. That takes about as long
   * as reading the image. Volumes, caches, tmpfs, secrets, scripts of steps, and the files `/etc/hosts`,
   * `/etc/hostname` and `/etc/resolv.conf` are not part of it. It stays until `Executor.removeSnapshot`.
   *
   * @param name 1 to 63 letters, digits, dots, dashes and underscores.
   * @throws ExecutorError `refused` for a name that another snapshot has, in a session with a user namespace,
   * and after the session's end. A failure leaves nothing.
   */
  snapshot(name: string, options?: SnapshotOptions): Promise<SessionSnapshot>;
  /**
   * Lets go of a session that goes on: steps that this process runs in it are stopped, and `ended` resolves
   * with `disconnected`. So does the end of `await using` of such a session.
   *
   * @throws ExecutorError `refused` for a session that was opened without `detached`.
   */
  disconnect(): Promise<void>;
  /**
   * Stops the steps that still run, and removes the container. Further calls return the promise of the first.
   */
  close(options?: SessionCloseOptions): Promise<SessionEnd>;
}
