import { type Client, currentOwner } from "@wfe-containerd/client";
import { type BridgeOptions, parseBridge } from "./core/network/bridge.js";
import type { StepResult } from "./core/output/result.js";
import type { WorkflowData } from "./core/output/workflow-data.js";
import { type Policy, parsePolicy } from "./core/policy/policy.js";
import type { SecretValues } from "./core/step/secret.js";
import type { StepInput } from "./core/step/step.js";
import { createDeferred } from "./deferred.js";
import { ExecutorError } from "./error.js";
import type { StepEvent } from "./event.js";
import type { StepHandle } from "./handle.js";
import type { ImagePullOptions } from "./image/resolve-image.js";
import { createUserFileCache } from "./image/user-file-cache.js";
import { createIoDirectory } from "./io/directory.js";
import { openFifoIo } from "./io/fifo.js";
import { openFileIo } from "./io/file.js";
import type { StepIo } from "./io/io.js";
import { createEventQueue, type EventQueue } from "./log/event-queue.js";
import { createConnections } from "./machine/connections.js";
import { checkIdRange, type IdRange } from "./machine/user-namespace.js";
import { runStep } from "./run-step.js";
import { createStepId } from "./step-id.js";
import { startTimer } from "./timer.js";

export interface ExecutorOptions {
  /** The daemon that steps run on, unless a step names another. Default: `createClient()`, closed with the executor. */
  readonly client?: Client;
  /**
   * A directory that this process and the daemon's machine see at the same path; output goes through files in it. Absolute. Default:
   * `WFE_IO_DIR`, else a private temporary directory, which serves a daemon on this machine only.
   */
  readonly ioDir?: string;
  /**
   * `file` (default): output goes through regular files; works with a remote daemon, and outlives this process. `fifo`: through
   * named pipes; faster, for a daemon on this machine only.
   */
  readonly ioMode?: "file" | "fifo";
  /** How many bytes of each of stdout and stderr a result holds: the first ones. Default 1 MiB. The events hold all. */
  readonly captureBytes?: number;
  /**
   * What steps may ask for beyond the least: volumes and from where, the host's network, the image's own user. Default: nothing; a step that
   * asks is refused with what would allow it.
   */
  readonly policy?: Partial<Policy>;
  /** For steps with `network: bridge`: the bridge on the daemon's machine. */
  readonly bridge?: BridgeOptions;
  /**
   * For steps with `init`: the path of a static init program (tini, catatonit, docker-init) on the daemon's machine. Default: looked for
   * where packages put them, when the daemon is on this machine.
   */
  readonly init?: string;
  /** For steps with `user_namespace`: which ids of the daemon's machine stand behind theirs. Default: 65536 from 1000000000 on. */
  readonly userNamespace?: IdRange;
  /** How images are pulled. Default: as docker's config and containerd's hosts.toml files say. */
  readonly pull?: ImagePullOptions;
}

export interface StartOptions {
  /** Aborting it stops the step: stop signal, grace period, SIGKILL. */
  readonly signal?: AbortSignal;
  /**
   * Values of the secrets that the step may name, up to a mebibyte together. They reach it as files that only its user can read, and nothing else: no
   * environment, label, argument, error or event.
   */
  readonly secrets?: SecretValues;
  /**
   * Values of the workflow: each becomes an environment variable of the step, in upper case. One by the name of a variable of the image's, or of one that
   * programs take orders from, is refused.
   */
  readonly data?: WorkflowData;
}

export interface RunOptions extends StartOptions {
  /** Called with each event, in order; the next waits for the promise it returns. */
  readonly onEvent?: (event: StepEvent) => void | Promise<void>;
}

export interface CloseOptions {
  /** How long steps have to end after their stop signal, whatever grace they have themselves. Default 60 000. */
  readonly graceMs?: number;
}

/** Runs steps on a containerd. */
export interface Executor extends AsyncDisposable {
  /** Starts a step and returns at once. Never throws: what is wrong rejects the handle's `result`. */
  start(step: StepInput, options?: StartOptions): StepHandle;
  /** Runs a step to its end, and releases all it held. Rejects with an {@link ExecutorError} when it could not be run. */
  run(step: StepInput, options?: RunOptions): Promise<StepResult>;
  /**
   * Stops the steps that still run, kills those that have not ended after `graceMs` (default: a minute), waits until everything is released, and closes
   * the connections that the executor opened. Called again, it is the first call's promise.
   */
  close(options?: CloseOptions): Promise<void>;
}

const DEFAULT_CAPTURE_BYTES = 1024 * 1024;
const DEFAULT_CLOSE_GRACE_MS = 60_000;

export function createExecutor(options: ExecutorOptions = {}): Executor {
  const policy = parsePolicy(options.policy ?? {});
  if (options.userNamespace !== undefined) checkIdRange(options.userNamespace);
  const bridge = parseBridge(options.bridge);
  const programs = [
    ...bridge.pluginDirs,
    bridge.dataDir,
    ...(options.init === undefined ? [] : [options.init]),
  ];
  const connections = createConnections(options.client);
  const ioDirectory = createIoDirectory(options.ioDir ?? process.env["WFE_IO_DIR"]);
  const readUserFiles = createUserFileCache();
  let owner: Promise<string> | undefined;
  const running = new Set<StepHandle>();
  let closing: Promise<void> | undefined;

  function begin(
    input: StepInput,
    { signal, data = {}, secrets = {} }: StartOptions,
    events: EventQueue,
  ): StepHandle {
    const id = createStepId();
    const stop = new AbortController();
    const hurry = new AbortController();
    const onAbort = (): void => stop.abort(signal?.reason);
    if (signal?.aborted === true || closing !== undefined) onAbort();
    else signal?.addEventListener("abort", onAbort, { once: true });

    const result = createDeferred<StepResult>();
    const closed = runStep({
      id,
      input,
      data,
      secrets,
      owner: () => (owner ??= currentOwner()),
      events,
      captureBytes: options.captureBytes ?? DEFAULT_CAPTURE_BYTES,
      rules: { policy, ioDirectories: ioDirectory.paths, programs },
      bridge,
      host: { init: options.init, userNamespace: options.userNamespace },
      pull: options.pull ?? {},
      readUserFiles,
      control: { signal: stop.signal, hurry: hurry.signal },
      connect: connections.to,
      ioDirectory: (client) => directoryFor(client, id),
      openIo,
      settle: result.resolve,
      fail: result.reject,
    }).finally(() => {
      signal?.removeEventListener("abort", onAbort);
      running.delete(handle);
    });
    // Whoever awaits only one of the two must not be killed by the other's rejection.
    result.promise.catch(() => undefined);
    closed.catch(() => undefined);

    const handle: StepHandle = {
      id,
      result: result.promise,
      closed,
      stop: () => stop.abort(),
      kill() {
        stop.abort();
        hurry.abort();
      },
      [Symbol.asyncIterator]: () => events.iterate(),
      async [Symbol.asyncDispose]() {
        stop.abort();
        events.discard();
        await closed;
      },
    };
    running.add(handle);
    return handle;
  }

  async function directoryFor(client: Client, id: string): Promise<string> {
    if (options.ioMode === "fifo" && !client.isLocal) {
      throw new ExecutorError(
        `ioMode: "fifo" needs a daemon on this machine, and ${client.address} may be on another; allowed: "file"`,
        { kind: "invalid-argument" },
      );
    }
    return ioDirectory.forStep(client, id);
  }

  async function openIo(client: Client, directory: string): Promise<StepIo> {
    return options.ioMode === "fifo"
      ? openFifoIo(directory)
      : openFileIo(directory, { shared: !client.isLocal });
  }

  async function run(step: StepInput, { onEvent, ...startOptions }: RunOptions = {}): Promise<StepResult> {
    const events = createEventQueue();
    if (onEvent === undefined) events.discard();
    const handle = begin(step, startOptions, events);
    try {
      if (onEvent !== undefined) for await (const event of handle) await onEvent(event);
      return await handle.result;
    } finally {
      await handle[Symbol.asyncDispose]();
    }
  }

  async function close({ graceMs = DEFAULT_CLOSE_GRACE_MS }: CloseOptions = {}): Promise<void> {
    const ended = Promise.allSettled([...running].map((handle) => handle[Symbol.asyncDispose]()));
    const late = startTimer(graceMs);
    void late.fired.then(() => running.forEach((handle) => void handle.kill()));
    await ended;
    late.cancel();
    await ioDirectory.remove();
    await connections.close();
  }

  return {
    start: (step, startOptions = {}) => begin(step, startOptions, createEventQueue()),
    run,
    close: (closeOptions) => (closing ??= close(closeOptions)),
    [Symbol.asyncDispose]: () => (closing ??= close()),
  };
}
