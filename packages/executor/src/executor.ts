import type { Client } from "@wfe-containerd/client";
import { createDeferred, currentOwner, type OptionNames } from "@wfe-containerd/client/internal";
import { type BridgeOptions, parseBridge } from "./core/network/bridge.js";
import type { StepResult } from "./core/output/result.js";
import type { WorkflowData } from "./core/output/workflow-data.js";
import { type PolicyOptions, parsePolicy } from "./core/policy/policy.js";
import type { SecretValues } from "./core/step/secret.js";
import type { StepInput } from "./core/step/step-input.js";
import { ExecutorError, isExecutorError } from "./error.js";
import type { StepEvent } from "./event.js";
import type { StepHandle } from "./handle.js";
import { type ImagePullOptions, PULL_OPTIONS } from "./image/resolve-image.js";
import { createUserFileCache } from "./image/user-file-cache.js";
import { FIFO_IO, FILE_IO } from "./io/backend.js";
import { createEventQueue, type EventQueue } from "./log/event-queue.js";
import { createKeptLogs } from "./log/kept-logs.js";
import { createLog } from "./log/log.js";
import { type LogLimitPolicy, parseLogLimit } from "./log/log-limit.js";
import { checkIdRange, type IdRange } from "./machine/id-range.js";
import { createIoDirectory } from "./machine/io-directory.js";
import { createMachines } from "./machine/machines.js";
import { checkOptions } from "./options.js";
import { abandonedSteps } from "./record/abandoned.js";
import { createRelease, type Release } from "./resources/release.js";
import { createUnfinishedReleases } from "./resources/unfinished-releases.js";
import { runStep } from "./run-step.js";
import type { ExecutorContext } from "./stages/context.js";
import { createStepId } from "./step-id.js";
import { startTimer } from "./timer.js";
import type { ReleaseReport, UnreleasedResource } from "./unreleased.js";

/** Options of {@link createExecutor}. */
export interface ExecutorOptions {
  /**
   * The daemon that steps run on, unless a step names another. Default: `createClient()`, closed with the
   * executor.
   */
  readonly client?: Client | undefined;
  /**
   * An absolute path of a directory that this process and the daemon's machine see at the same path. Output
   * goes through files in it. Default: `WFE_IO_DIR`, else a private temporary directory, which works only
   * with a daemon on this machine.
   */
  readonly ioDir?: string | undefined;
  /**
   * How output gets from the daemon to this process.
   *
   * - `file`: through regular files. Works with a remote daemon, and the files outlive this process.
   * - `fifo`: through named pipes. Faster, but only for a daemon on this machine.
   *
   * @default "file"
   */
  readonly ioMode?: "file" | "fifo" | undefined;
  /**
   * How many bytes of stdout, and of stderr, a result contains: the first ones, and as many of the last ones.
   * Events contain all output.
   *
   * @default 1_048_576
   */
  readonly captureBytes?: number | undefined;
  /**
   * How many bytes of a step's output are kept while it runs, and afterwards until its handle is disposed of:
   * of stdout and stderr together. A step may ask for less.
   *
   * @default 2_147_483_648
   */
  readonly maxLogBytes?: number | undefined;
  /**
   * What happens when a step prints more than `maxLogBytes`, unless the step says something else.
   *
   * - `fail`: it is stopped, with the cause `log-io-failed`.
   * - `truncate`: it goes on. The first bytes are kept, and events end there; output lines still count.
   * - `drop-oldest`: it goes on. Events have everything, and the newest bytes are kept to be read again.
   *
   * @default "drop-oldest"
   */
  readonly onLogLimit?: LogLimitPolicy | undefined;
  /**
   * What steps may ask for: volumes and their sources, the host's network, the image's own user, and more.
   * Default: `DEFAULT_POLICY`. A step that asks for more is refused, and the error says what would allow it.
   */
  readonly policy?: PolicyOptions | undefined;
  /** The bridge on the daemon's machine, for steps with `network: bridge`. */
  readonly bridge?: BridgeOptions | undefined;
  /**
   * The path of a static init program (tini, catatonit, docker-init) on the daemon's machine, for steps with
   * `init`. Default: if the daemon is on this machine, the usual places of packages are searched.
   */
  readonly init?: string | undefined;
  /**
   * The ids on the daemon's machine that steps with `user_namespace` are mapped to. Default: 65536 ids from
   * 1000000000 on.
   */
  readonly userNamespace?: IdRange | undefined;
  /**
   * How long a step waits for a daemon that is away: restarted, cut off, or not answering. In milliseconds.
   * Then the step fails with `daemon-unavailable`. A daemon that has never answered is not waited for.
   *
   * @default 60_000
   */
  readonly daemonTimeoutMs?: number | undefined;
  /** How images are pulled. Default: as docker's config and containerd's hosts.toml files say. */
  readonly pull?: ImagePullOptions | undefined;
}

/** Options of `Executor.start`. */
export interface StartOptions {
  /** Aborting it stops the step: stop signal, grace period, SIGKILL. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Values of the secrets that the step may name, up to 1 MiB together. The step gets them as files that only
   * its user can read. They are never put into an environment variable, label, argument, error or event.
   */
  readonly secrets?: SecretValues | undefined;
  /**
   * Values of the workflow. Each becomes an environment variable of the step, in upper case. A name is
   * refused if it is a variable of the image, or one that programs obey, such as `LD_PRELOAD`.
   */
  readonly data?: WorkflowData | undefined;
}

/** Options of `Executor.run`. */
export interface RunOptions extends StartOptions {
  /** Called with each event, in order. The next call waits for the promise that this one returns. */
  readonly onEvent?: ((event: StepEvent) => void | Promise<void>) | undefined;
}

/** Options of `Executor.close`. */
export interface CloseOptions {
  /**
   * How long steps may take to end after their stop signal, in milliseconds. Overrides a longer grace period
   * of their own.
   *
   * @default 60_000
   */
  readonly graceMs?: number | undefined;
}

const OPTIONS: OptionNames<ExecutorOptions> = {
  client: true,
  ioDir: true,
  ioMode: true,
  captureBytes: true,
  maxLogBytes: true,
  onLogLimit: true,
  // The policy has a check of its own.
  policy: true,
  bridge: {
    name: true,
    subnet: true,
    pluginDirs: true,
    masquerade: true,
    dns: true,
    dataDir: true,
  },
  init: true,
  userNamespace: { hostId: true, size: true },
  daemonTimeoutMs: true,
  pull: PULL_OPTIONS,
};
const START_OPTIONS: OptionNames<StartOptions> = { signal: true, secrets: true, data: true };
const CLOSE_OPTIONS: OptionNames<CloseOptions> = { graceMs: true };
const RUN_OPTIONS: OptionNames<RunOptions> = { ...START_OPTIONS, onEvent: true };

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
   * Stops the steps that still run, and kills those that have not ended after `graceMs`. Tries once more to
   * release what could not be released before, then closes the connections that the executor opened. Never
   * rejects. Further calls return the promise of the first.
   */
  close(options?: CloseOptions): Promise<ReleaseReport>;
}

/** The result of `Executor.run`: with what could not be released yet. */
export interface RunResult extends StepResult, ReleaseReport {}

const DEFAULT_CAPTURE_BYTES = 1024 * 1024;
const DEFAULT_DAEMON_TIMEOUT_MS = 60_000;
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
  checkOptions("createExecutor", options, OPTIONS);
  const context = createContext(options);
  const unfinished = createUnfinishedReleases();
  const running = new Map<StepHandle, Release>();
  const keptLogs = createKeptLogs();
  let closing: Promise<ReleaseReport> | undefined;

  function begin(input: StepInput, startOptions: StartOptions, events: EventQueue): StepHandle {
    const { signal, data = {}, secrets = {} } = startOptions ?? {};
    const id = createStepId();
    const stop = new AbortController();
    const forceKill = new AbortController();
    const onAbort = (): void => stop.abort(signal?.reason);
    if (signal?.aborted === true) onAbort();
    else signal?.addEventListener("abort", onAbort, { once: true });

    const isOpen = closing === undefined;
    const release = createRelease();
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
    await keptLogs.close();
    await context.machines.close();
    return { unreleased };
  }

  return {
    start: (step, startOptions = {}) => begin(step, startOptions, createEventQueue()),
    run,
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

/** @throws ExecutorError for invalid options. */
function createContext(options: ExecutorOptions): ExecutorContext {
  const policy = parsePolicy(options.policy ?? {});
  const idRange = checkIdRange(options.userNamespace ?? {});
  const bridge = parseBridge(options.bridge);
  const { init } = options;
  const programs = [...bridge.pluginDirs, bridge.dataDir, ...(init === undefined ? [] : [init])];
  let knownOwner: string | undefined;
  async function owner(): Promise<string> {
    knownOwner ??= await currentOwner();
    return knownOwner;
  }
  const ioDirectory = createIoDirectory(options.ioDir ?? process.env["WFE_IO_DIR"], owner);
  return {
    machines: createMachines(options.client, { bridge, init, idRange, ioDirectory }),
    rules: { policy, ioDirectories: ioDirectory.paths, programs },
    io: options.ioMode === "fifo" ? FIFO_IO : FILE_IO,
    pull: options.pull ?? {},
    readUserFiles: createUserFileCache(),
    logLimit: parseLogLimit(options),
    captureBytes: options.captureBytes ?? DEFAULT_CAPTURE_BYTES,
    daemonTimeoutMs: options.daemonTimeoutMs ?? DEFAULT_DAEMON_TIMEOUT_MS,
    owner,
  };
}
