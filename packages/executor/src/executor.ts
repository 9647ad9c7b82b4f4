import { type Client, createOutage } from "@wfe-containerd/client";
import { createSemaphore } from "@wfe-containerd/client/internal";
import { createAbortRelay } from "./abort-relay.js";
import { connectSession, listSessions } from "./connect-session.js";
import { refuse } from "./core/refuse.js";
import type { StepInput } from "./core/step/step-input.js";
import { type DetachedExecInput, detachExec } from "./detach-exec.js";
import { printStepLines } from "./diagnostics/debug-output.js";
import { ExecutorError } from "./error.js";
import { createExecHost, type ExecHost } from "./exec-host.js";
import type { ExecInput } from "./exec-input.js";
import { createContext } from "./executor-context.js";
import {
  ATTACH_OPTIONS,
  type AttachOptions,
  CLOSE_OPTIONS,
  type CloseOptions,
  checkDetachOptions,
  checkRecoverOptions,
  checkStartOptions,
  type DetachOptions,
  EXEC_OPTIONS,
  EXECUTOR_OPTIONS,
  type ExecutorOptions,
  parseMaxConcurrent,
  type RecoverOptions,
  RUN_OPTIONS,
  type RunOptions,
  type StartOptions,
} from "./executor-options.js";
import { toExecutorError } from "./failure.js";
import type { StepHandle } from "./handle.js";
import { createEventQueue } from "./log/event-queue.js";
import { createKeptLogs } from "./log/kept-logs.js";
import { CONNECT_OPTIONS, openSession } from "./open-session.js";
import { checkOptions } from "./options.js";
import { attachTo, execIn } from "./other-steps.js";
import { abandonedSteps } from "./record/abandoned.js";
import type { ReapReport } from "./record/leftover.js";
import { REAP_OPTIONS, type ReapOptions } from "./record/reap.js";
import { claimAll } from "./record/recover.js";
import { createUnfinishedReleases } from "./resources/unfinished-releases.js";
import { type RunResult, runToEnd } from "./run-to-end.js";
import type {
  ConnectOptions,
  ListedSession,
  OpenOptions,
  Session,
  SessionInput,
  SnapshotSessionInput,
} from "./session.js";
import { listSnapshots, removeSnapshot, type SessionSnapshot } from "./snapshots/session-snapshot.js";
import type { ExecParts } from "./start-exec.js";
import { resumeStep, type StartedStep, type StartKind, type StepHost, startStep } from "./start-step.js";
import { startTimer } from "./timer.js";
import type { ReleaseReport } from "./unreleased.js";

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
   * @throws ExecutorError if the step could not be run; `closed` after `close` or `drain`. A step that ran
   * and failed is a result.
   */
  run(step: StepInput, options?: RunOptions): Promise<RunResult>;
  /**
   * Makes a container that stays, in which steps are run one after the other or at once. They share its
   * files. A machine of amd64 or arm64 is needed, and no shell or other program in the image. With `from` it
   * starts from a session's snapshot, in place of an image.
   *
   * @throws ExecutorError if the container could not be made, as `run` does.
   * @example
   * ```ts
   * await using session = await executor.open({ name: "job", image: "alpine" }, { idleTimeoutMs: 600_000 });
   * await session.run({ name: "write", run: "echo hello > /tmp/greeting" });
   * const { stdout } = await session.run({ name: "read", command: ["cat", "/tmp/greeting"] });
   * ```
   */
  open(session: SessionInput | SnapshotSessionInput, options?: OpenOptions): Promise<Session>;
  /**
   * Connects to a running session that another process has opened, or that was opened with `detached`. Its
   * own deadlines count in the process that opened it; those that are given here, in this one.
   *
   * @param session its id, or its name, if no other step has that name.
   * @throws ExecutorError `invalid-argument` if there is no such step; `refused` if it is no running session,
   * the value of a secret is missing, or its executor has `ioMode: "fifo"`.
   * @example
   * ```ts
   * const opened = await executor.open({ name: "job", image: "alpine" }, { detached: true });
   * await opened.disconnect();
   * // In another process:
   * await using session = await executor.connect("job");
   * await session.run({ command: ["ls"] });
   * ```
   */
  connect(session: string, options?: ConnectOptions): Promise<Session>;
  /**
   * Lists the sessions on the executor's own daemon, in its namespace, the newest first.
   *
   * @throws ExecutorError `closed` after `close`; `daemon-unavailable`.
   */
  sessions(): Promise<ListedSession[]>;
  /**
   * Lists the snapshots of sessions, by name, in the namespace of the executor's own daemon.
   *
   * @throws ExecutorError `closed` after `close`; `daemon-unavailable`.
   */
  snapshots(): Promise<SessionSnapshot[]>;
  /**
   * Removes a session's snapshot. Sessions that were started from it go on.
   *
   * @throws ExecutorError `invalid-argument` if no snapshot has that name; `closed` after `close`;
   * `daemon-unavailable`.
   */
  removeSnapshot(name: string): Promise<void>;
  /**
   * Starts a step, and leaves it to itself as soon as its process runs: it goes on without this process, and
   * belongs to none. Its output and its exit code stay until somebody removes it (`removeStep`), unless
   * `afterEnd` says otherwise. Nobody watches its time-out but `reap`: it ends when that is called next, by
   * any executor, or by the command's `gc`. Its output is stored as it is, and `maxLogBytes` does not hold.
   *
   * @returns the id of the step, for `attach`, `exec` and `removeStep`.
   * @throws ExecutorError if the process could not be started; `refused` for a step with `retry`, and in an
   * executor with `ioMode: "fifo"`.
   * @example
   * ```ts
   * const id = await executor.detach({ name: "server", image: "alpine", command: ["sleep", "600"] });
   * ```
   */
  detach(step: StepInput, options?: DetachOptions): Promise<string>;
  /**
   * Follows a step that another process has started, or that was left to itself, on the executor's own
   * daemon: its output from the beginning, and its result. The handle's `started` resolves when everything
   * was read that was there. `exec` adds a process to it. To stop the handle ends only the following.
   *
   * @param step its id, or its name, if no other step has that name.
   * @throws ExecutorError `invalid-argument` if there is no such step; `refused` if its output cannot be
   * read from here, or the value of a secret is missing.
   */
  attach(step: string, options?: AttachOptions): Promise<StepHandle>;
  /**
   * Runs a further process in the container of such a step, as `StepHandle.exec` does. Its output need not be
   * readable from here.
   *
   * @param step its id, or its name, if no other step has that name.
   * @throws ExecutorError `invalid-argument` if there is no such step; `refused` if it does not run, or the
   * value of a secret is missing. What is wrong with the process rejects the handle's `result`.
   * @example
   * ```ts
   * await using process = await executor.exec("server", { command: ["ps"] });
   * console.log((await process.result).stdout);
   * ```
   */
  exec(step: string, process: ExecInput, options?: Pick<AttachOptions, "secrets">): Promise<StepHandle>;
  /**
   * Starts a further process in the container of such a step, and leaves it to itself: it goes on without
   * this process, until it ends or the step does. Its output goes nowhere, its standard input is empty, and
   * nobody learns its exit code.
   *
   * @param step its id, or its name, if no other step has that name.
   * @returns the id of the process in the container, when it runs.
   * @throws ExecutorError as `exec` and its handle's `result`; `refused` for a field that needs somebody who
   * stays with the process, such as `timeout`.
   * @example
   * ```ts
   * await executor.detachExec("server", { run: "sleep 60; touch /tmp/ready" });
   * ```
   */
  detachExec(step: string, process: DetachedExecInput): Promise<string>;
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
   * Takes over the steps of processes that have ended, on the executor's own daemon and in its namespace: all
   * of them at the first `next()`. Each gets a handle, with its output from the beginning and its true
   * result; none is run a second time. A step whose process had not been started is removed, and its handle
   * rejects.
   *
   * A daemon that is away is waited for, for `daemonTimeoutMs`. Steps of living processes are left alone,
   * and so are those whose process cannot be seen from here: it ran on another machine, or in another PID
   * namespace.
   *
   * @throws ExecutorError `invalid-argument` for an unknown option; `closed` after `close`;
   * `daemon-unavailable`.
   * @example
   * ```ts
   * for await (const handle of executor.recover()) {
   *   const { name, exitCode } = await handle.result;
   *   console.log(name, exitCode);
   * }
   * ```
   */
  recover(options?: RecoverOptions): AsyncGenerator<StepHandle, void, undefined>;
  /**
   * Starts no more steps, and waits until those that run, that are queued and that will be tried again have
   * ended and are released. `close` can be called at any time, also to end the waiting; after `drain` it has
   * nothing to wait for. Never rejects. Further calls return the promise of the first.
   *
   * @returns what could not be released. The executor goes on trying, until it is closed.
   */
  drain(): Promise<ReleaseReport>;
  /**
   * Stops the steps that still run, and kills those that have not ended after `graceMs`. Tries once more to
   * release what could not be released before, then closes the connections that the executor opened. Never
   * rejects. Further calls return the promise of the first. Steps that are queued fail with `closed`.
   */
  close(options?: CloseOptions): Promise<ReleaseReport>;
}

const DEFAULT_CLOSE_GRACE_MS = 60_000;
/** How long `close` waits for steps that it killed, in milliseconds. A busy machine needs seconds. */
const KILLED_MS = 30_000;
/** How long `close` tries to release what is left, in milliseconds. */
const RELEASE_MS = { least: 2_000, most: 10_000 };

/**
 * Creates an executor. Without a client of yours, it connects at its first step.
 *
 * @throws ExecutorError `refused` for an invalid policy or bridge; `invalid-argument` for an unknown option,
 * an invalid id range and an invalid `maxConcurrent`.
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
  const slots = createSemaphore(parseMaxConcurrent(options));
  const aborts = createAbortRelay();
  const keptLogs = createKeptLogs();
  const unfinished = createUnfinishedReleases();
  const running = new Set<StartedStep>();
  /** Steps of others that are followed here. Nobody waits for their end. */
  const followed = new Set<StartedStep>();
  let draining: Promise<ReleaseReport> | undefined;
  let closing: Promise<ReleaseReport> | undefined;
  if (options.client !== undefined) context.reaper.start();

  function keep(step: StartedStep, among = running): StepHandle {
    among.add(step);
    void step.handle.closed.then(() => among.delete(step));
    return step.handle;
  }

  const execsOf = (host: ExecHost): ExecParts => ({
    executor: context,
    host,
    aborts,
    keptLogs,
    onUnfinished: unfinished.add,
  });

  function hostOf(startOptions: StartOptions): StepHost {
    const checkStart = (): void => {
      checkStartOptions(startOptions);
      if (closing !== undefined) throw startsNoMore("is closed");
      if (draining !== undefined) throw startsNoMore("was told to drain");
    };
    return { context, slots, aborts, keptLogs, unfinished, checkStart, execsOf };
  }

  function begin(input: StepInput, startOptions: StartOptions, kind: StartKind): StepHandle {
    if (closing === undefined) context.reaper.start();
    return keep(startStep(hostOf(startOptions), input, startOptions, kind));
  }

  async function* recover(recoverOptions: RecoverOptions = {}): AsyncGenerator<StepHandle, void, undefined> {
    checkRecoverOptions(recoverOptions);
    const { policy = "adopt", secrets = {} } = recoverOptions;
    const steps = await askOwnDaemon((client) => claimAll(client, secrets));
    const handles = steps.map((step) => keep(resumeStep(hostOf({}), step)));
    if (policy === "stop") for (const handle of handles) handle.stop();
    yield* handles;
  }

  async function detach(step: StepInput, options: DetachOptions): Promise<string> {
    checkDetachOptions(options);
    const { afterEnd: left = "keep", onEvent, ...startOptions } = options;
    if (context.io.mode === "fifo")
      refuse(
        "ioMode",
        '"fifo" cannot be used for a step that is left: nobody would read its output',
        '"file"',
      );
    const events = createEventQueue();
    if (onEvent === undefined) events.discard();
    const handle = begin(step, startOptions, { events, left });
    const follow = async (): Promise<void> => {
      for await (const event of events.iterate()) await onEvent?.(event);
    };
    const told = onEvent === undefined ? undefined : follow();
    told?.catch(() => undefined);
    try {
      await handle.started;
      await told;
      return handle.id;
    } finally {
      await handle.closed;
    }
  }

  async function attach(step: string, attachOptions: AttachOptions): Promise<StepHandle> {
    checkOptions("attach", attachOptions, ATTACH_OPTIONS);
    if (closing !== undefined) throw startsNoMore("is closed");
    return keep((await attachTo(hostOf({}), step, attachOptions)).started, followed);
  }

  async function connect(session: string, connectOptions: ConnectOptions): Promise<Session> {
    checkOptions("connect", connectOptions, CONNECT_OPTIONS);
    const connected = await askOwnDaemon((client) =>
      connectSession(hostOf({}), client, session, connectOptions),
    );
    keep(connected.started, followed);
    return connected.session;
  }

  async function exec(step: string, process: ExecInput, execOptions: AttachOptions): Promise<StepHandle> {
    checkOptions("exec", execOptions, EXEC_OPTIONS);
    if (closing !== undefined) throw startsNoMore("is closed");
    const handle = await execIn(hostOf({}), step, process, execOptions);
    return keep({ handle, left: [], stop: () => handle.stop() });
  }

  async function leaveExec(step: string, process: DetachedExecInput): Promise<string> {
    if (closing !== undefined) throw startsNoMore("is closed");
    return detachExec(hostOf({}), step, process);
  }

  async function ownClient(): Promise<Client> {
    if (closing !== undefined) throw startsNoMore("is closed");
    return context.machines.ownClient(createOutage({ timeoutMs: context.daemonTimeoutMs }));
  }

  async function askOwnDaemon<T>(ask: (client: Client) => Promise<T>): Promise<T> {
    try {
      return await ask(await ownClient());
    } catch (reason) {
      throw toExecutorError(reason);
    }
  }

  async function run(step: StepInput, runOptions: RunOptions = {}): Promise<RunResult> {
    checkOptions("run", runOptions, RUN_OPTIONS);
    const { onEvent, ...startOptions } = runOptions;
    return runToEnd((events) => begin(step, startOptions, { events }), onEvent);
  }

  async function drain(): Promise<ReleaseReport> {
    await Promise.all([...running].map(({ handle }) => handle.closed));
    return { unreleased: unfinished.left };
  }

  async function close({ graceMs = DEFAULT_CLOSE_GRACE_MS }: CloseOptions = {}): Promise<ReleaseReport> {
    const giveUpAt = performance.now() + graceMs;
    const all = [...running, ...followed];
    for (const step of all) step.stop(startsNoMore("was closed"));
    const ended = Promise.all(all.map(({ handle }) => handle[Symbol.asyncDispose]()));
    const late = startTimer(graceMs);
    const tooLate = startTimer(graceMs + KILLED_MS);
    void late.fired.then(() => {
      for (const { handle } of running) handle.kill();
    });
    await Promise.race([ended, tooLate.fired]);
    late.cancel();
    tooLate.cancel();
    const unended = [...running].flatMap(({ left }) => left);
    const leftMs = Math.min(Math.max(giveUpAt - performance.now(), RELEASE_MS.least), RELEASE_MS.most);
    const unreleased = [...unended, ...(await unfinished.finish(leftMs))];
    for (const { id } of unreleased) abandonedSteps.add(id);
    await Promise.all([keptLogs.close(), context.reaper.close(leftMs)]);
    await context.machines.close();
    return { unreleased };
  }

  return {
    start: (step, startOptions = {}) => begin(step, startOptions, { events: createEventQueue() }),
    run,
    detach: (step, detachOptions = {}) => detach(step, detachOptions),
    attach: (step, attachOptions = {}) => attach(step, attachOptions),
    exec: (step, process, execOptions = {}) => exec(step, process, execOptions),
    detachExec: leaveExec,
    recover,
    open(input, openOptions = {}) {
      const host = createExecHost("the session");
      return openSession(execsOf(host), input, openOptions, {
        begin: (step, startOptions, { events, from, isLeft }) =>
          begin(step, startOptions, { events, session: host, from, left: isLeft ? "remove" : undefined }),
        connect,
        ownClient,
      });
    },
    connect: (session, connectOptions = {}) => connect(session, connectOptions),
    sessions: () => askOwnDaemon(listSessions),
    snapshots: () => askOwnDaemon(listSnapshots),
    removeSnapshot: (name) => askOwnDaemon((client) => removeSnapshot(client, name)),
    async reap(reapOptions = {}) {
      checkOptions("reap", reapOptions, REAP_OPTIONS);
      if (closing !== undefined) throw startsNoMore("is closed");
      return context.reaper.reap(reapOptions).catch((reason: unknown) => {
        throw toExecutorError(reason);
      });
    },
    drain() {
      draining ??= closing ?? drain();
      return draining;
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

/** @param why completes "the executor". */
function startsNoMore(why: string): ExecutorError {
  return new ExecutorError(`the executor ${why}, and starts no more steps; create another one`, {
    kind: "closed",
  });
}
