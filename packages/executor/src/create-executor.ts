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
import type { Executor } from "./executor.js";
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
import { checkStdin } from "./io/stdin-source.js";
import { createEventQueue } from "./log/event-queue.js";
import { createKeptLogs } from "./log/kept-logs.js";
import { CONNECT_OPTIONS, openSession } from "./open-session.js";
import { checkOptions } from "./options.js";
import { attachTo, execIn } from "./other-steps.js";
import { abandonedSteps } from "./record/abandoned.js";
import { REAP_OPTIONS } from "./record/reap.js";
import { claimAll } from "./record/recover.js";
import { createUnfinishedReleases } from "./resources/unfinished-releases.js";
import { type RunResult, runToEnd } from "./run-to-end.js";
import type { ConnectOptions, Session } from "./session.js";
import { listSnapshots, removeSnapshot } from "./snapshots/session-snapshot.js";
import type { ExecParts } from "./start-exec.js";
import { resumeStep, type StartedStep, type StartKind, type StepHost, startStep } from "./start-step.js";
import { startTimer } from "./timer.js";
import type { ReleaseReport } from "./unreleased.js";

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
      if (startOptions.canLeave === true) refusePipes();
      if (closing !== undefined) throw startsNoMore("is closed");
      if (draining !== undefined) throw startsNoMore("was told to drain");
    };
    return { context, slots, aborts, keptLogs, unfinished, checkStart, execsOf };
  }

  /** @throws ExecutorError `refused` if a step cannot go on without this process. */
  function refusePipes(): void {
    if (context.io.mode === "fifo")
      refuse(
        "ioMode",
        '"fifo" cannot be used for a step that is left: nobody would read its output',
        '"file"',
      );
  }

  function begin(input: StepInput, startOptions: StartOptions, kind: StartKind): StepHandle {
    if (closing === undefined) context.reaper.start();
    return keep(startStep(hostOf(startOptions), input, startOptions, kind));
  }

  async function* recover(recoverOptions: RecoverOptions = {}): AsyncGenerator<StepHandle, void, undefined> {
    checkRecoverOptions(recoverOptions);
    const { policy = "adopt", secrets = {}, steps } = recoverOptions;
    const recovered = await askOwnDaemon((client) => claimAll(client, secrets, { policy, steps }));
    const handles = recovered.map((step) => keep(resumeStep(hostOf({}), step)));
    if (policy === "stop") for (const handle of handles) handle.stop();
    yield* handles;
  }

  async function detach(step: StepInput, options: DetachOptions): Promise<string> {
    checkDetachOptions(options);
    const { afterEnd: left = "keep", openStdin, onEvent, ...startOptions } = options;
    refusePipes();
    const events = createEventQueue();
    if (onEvent === undefined) events.discard();
    const handle = begin(step, startOptions, { events, left, openStdin });
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
    checkStdin(attachOptions.stdin);
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
    async connect(session, connectOptions = {}) {
      const connected = await connect(session, connectOptions);
      const { lifetimeMs } = connectOptions;
      try {
        if (lifetimeMs !== undefined) await connected.extend({ lifetimeMs });
      } catch (reason) {
        await connected.disconnect();
        throw reason;
      }
      return connected;
    },
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
