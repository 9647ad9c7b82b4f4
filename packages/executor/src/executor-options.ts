import type { Client } from "@wfe-containerd/client";
import type { OptionNames } from "@wfe-containerd/client/internal";
import { BRIDGE_OPTIONS, type BridgeOptions } from "./core/network/bridge.js";
import type { LeftStep } from "./core/plan/labels.js";
import type { RuntimeOptions } from "./core/plan/runtime.js";
import type { PolicyOptions } from "./core/policy/policy.js";
import { checkTerminal } from "./core/spec/terminal.js";
import type { SecretValues } from "./core/step/secret.js";
import { ExecutorError } from "./error.js";
import type { StepEvent } from "./event.js";
import type { ProcessOptions } from "./exec-input.js";
import { type ImagePullOptions, PULL_OPTIONS } from "./image/resolve-image.js";
import { checkStdin, type StdinSource } from "./io/stdin-source.js";
import type { LogLimitPolicy } from "./log/log-limit.js";
import type { IdRange } from "./machine/id-range.js";
import { checkOptions } from "./options.js";

/** Options of `createExecutor`. */
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
   * The runtimes that steps may name in `runtime`. A step that names none, or `runc`, runs in runc.
   *
   * @example { crun: { binary: "crun" }, gvisor: { type: "io.containerd.runsc.v1" } }
   */
  readonly runtimes?: Readonly<Record<string, RuntimeOptions>> | undefined;
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
  /**
   * How often the executor removes what dead processes left, as `reap` does, in milliseconds: ten seconds
   * after its start at first, in the background. 0 or `false`: never.
   *
   * @default 600_000
   */
  readonly reapIntervalMs?: number | false | undefined;
  /**
   * How long the executor, when it does so by itself, leaves alone the steps of a dead executor, in
   * milliseconds: so that they can be recovered. Counted from when it first saw them.
   *
   * @default 300_000
   */
  readonly orphanGraceMs?: number | undefined;
  /**
   * How many steps run at a time, on all daemons together. A step counts until it is released. Further ones
   * wait in a queue, and touch no daemon meanwhile: a higher `priority` first, the same in the order in which
   * they were started.
   *
   * @default Infinity
   */
  readonly maxConcurrent?: number | undefined;
  /** How images are pulled. Default: as docker's config and containerd's hosts.toml files say. */
  readonly pull?: ImagePullOptions | undefined;
}

/** Options of `Executor.start`. */
export interface StartOptions extends ProcessOptions {
  /**
   * Values of the secrets that the step may name, up to 1 MiB together. The step gets them as files that only
   * its user can read. They are never put into an environment variable, label, argument, error or event.
   */
  readonly secrets?: SecretValues | undefined;
  /**
   * Which steps leave the executor's queue first: those of the highest priority. Lower ones wait as long as
   * higher ones come.
   *
   * @default 0
   */
  readonly priority?: number | undefined;
  /**
   * The run that the step belongs to, by a name of yours: 1 to 256 characters. Run, key and attempt together
   * name what is run at most once: a start of what is there already, in any process on that daemon, does not
   * run it again. It follows the step of a living process, goes on with that of a dead one, or gives its
   * result. When a step is released, its attempt is forgotten, unless `keepResultMs` keeps its result. Not
   * for steps with `retry`.
   *
   * @example "build-7"
   */
  readonly runId?: string | undefined;
  /**
   * The step's place in its run.
   *
   * @default the step's name
   */
  readonly key?: string | undefined;
  /**
   * Which attempt it is. Another attempt is another container.
   *
   * @default 1
   */
  readonly attempt?: number | undefined;
  /**
   * How long the result of the attempt stays on the daemon when its step is released, in milliseconds. Until
   * then a start of the same attempt gives it, with exit code, cause and outputs, but without output: its
   * `log` says what is missing. A result whose outputs have more than about 60 KB is not kept. Only with
   * `runId`.
   *
   * @default 0: it does not stay
   */
  readonly keepResultMs?: number | undefined;
  /**
   * Whether the step can be left to itself while it runs, by `StepHandle.leave`. Its output then goes through
   * files, from a terminal too, and its standard input stays open. Not with `ioMode: "fifo"`.
   *
   * @default false
   */
  readonly canLeave?: boolean | undefined;
}

/** Options of `Executor.run`. */
export interface RunOptions extends Omit<StartOptions, "canLeave"> {
  /** Called with each event, in order. The next call waits for the promise that this one returns. */
  readonly onEvent?: ((event: StepEvent) => void | Promise<void>) | undefined;
}

/** Options of `Executor.detach`. */
export interface DetachOptions
  extends Omit<
    StartOptions,
    "stdin" | "priority" | "runId" | "key" | "attempt" | "keepResultMs" | "canLeave"
  > {
  /**
   * Whether the process's standard input stays open, so that `attach` can write into it. Otherwise the
   * process sees its end at once. Only with a daemon on this machine.
   *
   * @default false
   */
  readonly openStdin?: boolean | undefined;
  /**
   * What becomes of the step when it has ended: it stays, with its output and its exit code, until somebody
   * removes it; or the next `reap` removes it.
   *
   * @default "keep"
   */
  readonly afterEnd?: LeftStep | undefined;
  /** Called with each event until the process runs, in order. The next call waits for this one's promise. */
  readonly onEvent?: RunOptions["onEvent"];
}

/** Options of `Executor.attach`; `secrets` also of `Executor.exec`. */
export interface AttachOptions {
  /** Aborting it ends the following, not the step. */
  readonly signal?: AbortSignal | undefined;
  /** Values of the step's secrets, as at its start. They are masked in the output. */
  readonly secrets?: SecretValues | undefined;
  /**
   * What is written into the step's standard input, which stays open after it. Only for a step of `detach`
   * with `openStdin`, or of `start` with `canLeave`. If the source fails, `result` rejects with an error of
   * kind `io`, and the step goes on. Default: nothing.
   */
  readonly stdin?: StdinSource | undefined;
}

/** Options of `Executor.recover`. */
export interface RecoverOptions {
  /**
   * What happens to steps that still run.
   *
   * - `adopt`: they go on, with the time-out that they had. Sessions are left alone.
   * - `stop`: they are stopped, with the cause `aborted`, and so are sessions.
   *
   * @default "adopt"
   */
  readonly policy?: "adopt" | "stop" | undefined;
  /**
   * The ids of the steps that are taken over, as `listRecoverable` gives them. Others are left alone. Of a
   * step that cannot be taken over, because a living process has it or it is gone, there is no handle.
   * Default: all.
   */
  readonly steps?: readonly string[] | undefined;
  /**
   * Values of the secrets of these steps, as at their start. They are masked in the output. A step that lacks
   * one is not taken over, and its handle rejects.
   */
  readonly secrets?: SecretValues | undefined;
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

export const EXECUTOR_OPTIONS: OptionNames<ExecutorOptions> = {
  client: true,
  ioDir: true,
  ioMode: true,
  captureBytes: true,
  maxLogBytes: true,
  onLogLimit: true,
  // The policy has a check of its own.
  policy: true,
  bridge: BRIDGE_OPTIONS,
  init: true,
  runtimes: true,
  userNamespace: { hostId: true, size: true },
  daemonTimeoutMs: true,
  reapIntervalMs: true,
  orphanGraceMs: true,
  maxConcurrent: true,
  pull: PULL_OPTIONS,
};
const START_OPTIONS: Readonly<Record<keyof StartOptions, true>> = {
  signal: true,
  data: true,
  stdin: true,
  terminal: true,
  secrets: true,
  priority: true,
  runId: true,
  key: true,
  attempt: true,
  keepResultMs: true,
  canLeave: true,
};
const DETACH_OPTIONS: OptionNames<DetachOptions> = {
  openStdin: true,
  signal: true,
  data: true,
  terminal: true,
  secrets: true,
  afterEnd: true,
  onEvent: true,
};
export const ATTACH_OPTIONS: OptionNames<AttachOptions> = { signal: true, secrets: true, stdin: true };
export const EXEC_OPTIONS: OptionNames<Pick<AttachOptions, "secrets">> = { secrets: true };
const RECOVER_OPTIONS: OptionNames<RecoverOptions> = { policy: true, steps: true, secrets: true };
export const CLOSE_OPTIONS: OptionNames<CloseOptions> = { graceMs: true };
const { canLeave: _, ...RUNNABLE_OPTIONS } = START_OPTIONS;
export const RUN_OPTIONS: OptionNames<RunOptions> = { ...RUNNABLE_OPTIONS, onEvent: true };

/** @throws ExecutorError `invalid-argument`. */
export function parseMaxConcurrent({ maxConcurrent = Number.POSITIVE_INFINITY }: ExecutorOptions): number {
  if (maxConcurrent === Number.POSITIVE_INFINITY) return maxConcurrent;
  if (Number.isSafeInteger(maxConcurrent) && maxConcurrent >= 1) return maxConcurrent;
  throw new ExecutorError(
    `maxConcurrent: ${shown(maxConcurrent)} is not a number of steps; allowed: a whole number, 1 or more, or Infinity; example: 16`,
    { kind: "invalid-argument" },
  );
}

/** @throws ExecutorError `invalid-argument`. */
export function checkStartOptions(options: StartOptions): void {
  checkOptions("start", options, START_OPTIONS);
  const { priority = 0, stdin, terminal } = options ?? {};
  checkStdin(stdin);
  checkTerminal(terminal);
  if (Number.isFinite(priority)) return;
  throw new ExecutorError(
    `priority: ${shown(priority)} is not a priority; allowed: a number, which may be negative; example: 10`,
    { kind: "invalid-argument" },
  );
}

/** @throws ExecutorError `invalid-argument`. */
export function checkDetachOptions(options: DetachOptions): void {
  checkOptions("detach", options, DETACH_OPTIONS);
  checkAfterEnd("detach", options?.afterEnd);
}

/** @throws ExecutorError `invalid-argument`. */
export function checkAfterEnd(method: string, afterEnd: unknown = "keep"): void {
  if (afterEnd === "keep" || afterEnd === "remove") return;
  throw new ExecutorError(`${method}: afterEnd: ${shown(afterEnd)} is not allowed; allowed: keep, remove`, {
    kind: "invalid-argument",
  });
}

/** @throws ExecutorError `invalid-argument`. */
export function checkRecoverOptions(options: RecoverOptions): void {
  checkOptions("recover", options, RECOVER_OPTIONS);
  const { policy = "adopt", steps = [] }: { policy?: unknown; steps?: unknown } = options ?? {};
  const refuse = (message: string): never => {
    throw new ExecutorError(`recover: ${message}`, { kind: "invalid-argument" });
  };
  if (policy !== "adopt" && policy !== "stop")
    refuse(`policy: ${shown(policy)} is not allowed; allowed: adopt, stop`);
  if (!Array.isArray(steps) || steps.some((id) => typeof id !== "string"))
    refuse('steps: is not a list of ids; allowed: texts; example: ["wfe-0123456789abcdef0123"]');
}

/** A program without types may give any value. */
function shown(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value.slice(0, 80)) : String(value);
}
