import { fromBinary } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { ProcessDetailsSchema } from "@wfe-containerd/proto/runc";
import { type Process, type ProcessInfo, Status } from "@wfe-containerd/proto/types/task";
import { type AnyValue, RUNTIME_PROCESS, RUNTIME_RESOURCES, toJsonAny } from "../any.js";
import { CALL_OPTIONS, type CallOptions, callService } from "../call.js";
import type { Context } from "../context.js";
import { ContainerdError } from "../error.js";
import { checkIdentifier } from "../identifier.js";
import type { NounOptions, OptionNames } from "../options.js";
import { refuse } from "../refuse.js";
import { type Signal, signalNumber } from "../signal.js";
import { type Mount, toWireMounts } from "../snapshot.js";
import { toDate } from "../timestamp.js";
import { type TaskMetrics, toTaskMetrics } from "./metrics.js";
import { waitForExit } from "./wait.js";

/** How a process ended. */
export interface ExitStatus {
  /** 0 to 255; 128 + n if signal n ended the process. */
  readonly exitCode: number;
  readonly exitedAt: Date;
}

/** The state of a process. */
export interface TaskStatus extends ExitStatus {
  /** The container's id. */
  readonly id: string;
  /** The id of a process that was added by {@link Tasks.exec}. Undefined: the container's first process. */
  readonly execId?: string | undefined;
  /** Process id on the daemon's machine; 0 after the process has ended. */
  readonly pid: number;
  readonly status: "created" | "running" | "stopped" | "paused" | "pausing" | "unknown";
  readonly stdin: string;
  readonly stdout: string;
  readonly stderr: string;
  readonly terminal: boolean;
}

/** A process in a container. */
export interface TaskProcess {
  /** Its id on the daemon's machine. */
  readonly pid: number;
  /** The id of a process that was added by {@link Tasks.exec}. Undefined: another one. */
  readonly execId: string | undefined;
}

/** Selects one of a task's processes: the init process, or with `execId` one that was added. */
export interface ProcessOptions extends CallOptions {
  readonly execId?: string | undefined;
}

/**
 * Where a process's streams go: paths that the shim opens on the daemon's machine. An empty path means no
 * stream.
 */
export interface Stdio {
  readonly stdin?: string | undefined;
  readonly stdout?: string | undefined;
  readonly stderr?: string | undefined;
  /** A terminal has no separate stderr. */
  readonly terminal?: boolean | undefined;
}

/** The size of a terminal, in characters. */
export interface TerminalSize {
  readonly width: number;
  readonly height: number;
}

/** Options of {@link Tasks.create}. */
export interface CreateTaskOptions extends Stdio {
  readonly containerId: string;
  /** The mounts of the root file system: those of a snapshot. */
  readonly rootfs: readonly Mount[];
  /** `containerd.runc.v1.Options`, packed with `toMessageAny`. */
  readonly options?: AnyValue | undefined;
  readonly timeoutMs?: number | undefined;
}

/** Options of {@link Tasks.kill}. */
export interface KillOptions extends ProcessOptions {
  /**
   * Send the signal to every process of the container.
   *
   * @default false
   */
  readonly all?: boolean | undefined;
}

/** Options of {@link Tasks.exec}. */
export interface ExecOptions extends Stdio, CallOptions {
  readonly execId: string;
  /** The OCI runtime spec's `process`, as an object. */
  readonly process: object;
}

/**
 * containerd's tasks (`services/tasks/v1`): the running processes of containers.
 *
 * @example
 * ```
 * const { tasks, snapshots } = client;
 * await tasks.create({ containerId: "web-1", rootfs: await snapshots.mounts("web-1") });
 * const ended = tasks.wait("web-1");
 * await tasks.start("web-1");
 * console.log((await ended).exitCode);
 * await tasks.delete("web-1");
 * ```
 */
export interface Tasks {
  /**
   * Creates a container's init process, which then waits for {@link start}. It is already a process: to
   * discard it, send SIGKILL before {@link delete}.
   *
   * There is no `signal` option: cancelling the creation would leave a shim that no list shows.
   *
   * A client that waits for its daemon (option `outage`) also returns a task that it finds when the daemon is
   * back. A daemon that was cut off while it created the task may be deleting it; and if it has died at that,
   * the task stays, and nobody reads its output. So if the daemon was away meanwhile, delete the task and
   * create it again: nothing of it has run.
   *
   * @throws ContainerdError `already-exists`; `not-found` when the container does not exist; `unknown` with
   * the runtime's own message.
   */
  create(options: CreateTaskOptions): Promise<{ pid: number }>;
  /** Starts a process that was created or added. */
  start(containerId: string, options?: ProcessOptions): Promise<{ pid: number }>;
  /**
   * Waits until a process has ended, without a deadline. If the connection is cut, it asks again until
   * `signal` is aborted; a client with an outage until its deadline. For an ended process it
   * answers at once, until the task is deleted.
   *
   * @throws ContainerdError `not-found` when the task does not exist (any more); `data-loss` when the daemon
   * was down and has forgotten the outcome; `canceled` when `signal` was aborted.
   */
  wait(containerId: string, options?: ProcessOptions): Promise<ExitStatus>;
  /**
   * Deletes an ended process. When a task is deleted, its shim has written all output and has exited.
   *
   * @throws ContainerdError `not-found`; `failed-precondition` while the process still runs.
   */
  delete(containerId: string, options?: ProcessOptions): Promise<ExitStatus>;
  /**
   * Sends a signal to a process.
   *
   * @throws ContainerdError `not-found` when the process does not exist (any more).
   */
  kill(containerId: string, signal: Signal, options?: KillOptions): Promise<void>;
  /**
   * Reads the status of a process.
   *
   * @throws ContainerdError `not-found`.
   */
  get(containerId: string, options?: ProcessOptions): Promise<TaskStatus>;
  /** Lists the tasks of the namespace. */
  list(options?: CallOptions): Promise<TaskStatus[]>;
  /**
   * Adds a process to a running task. {@link start} starts it; every other call takes its `execId`, too. When
   * it has ended, {@link delete} it: until then the shim keeps it.
   *
   * Its streams are FIFOs or regular files on the daemon's machine, which exist before: both stdout and
   * stderr, or none at all. With `terminal`, stdout is a FIFO, there is no stderr, and `process.terminal` is
   * set, too.
   *
   * @throws ContainerdError `already-exists`; `not-found` if the container has no task; `invalid-argument`
   * for a terminal with a stderr; `unknown` if the task has ended or is paused, with the shim's own message.
   * @example
   * ```
   * const process = { args: ["ls"], cwd: "/", env: ["PATH=/bin"], user: { uid: 1000, gid: 1000 } };
   * await tasks.exec("web-1", { execId: "list", process, stdout: "/run/list.out", stderr: "/run/list.err" });
   * const { pid } = await tasks.start("web-1", { execId: "list" });
   * const { exitCode } = await tasks.wait("web-1", { execId: "list" });
   * await tasks.delete("web-1", { execId: "list" });
   * ```
   */
  exec(containerId: string, options: ExecOptions): Promise<void>;
  /** Ends the process's standard input. To close your own end of the FIFO is not enough. */
  closeStdin(containerId: string, options?: ProcessOptions): Promise<void>;
  /** Sets the size of the process's terminal, in characters. */
  resizePty(containerId: string, size: TerminalSize, options?: ProcessOptions): Promise<void>;
  /** Freezes all processes of a container. */
  pause(containerId: string, options?: CallOptions): Promise<void>;
  /** Lets the processes of a paused container go on. */
  resume(containerId: string, options?: CallOptions): Promise<void>;
  /**
   * The processes in the container. With runc, those that were added say so.
   *
   * @throws ContainerdError `not-found`.
   */
  processes(containerId: string, options?: CallOptions): Promise<TaskProcess[]>;
  /** Process ids on the daemon's machine. */
  pids(containerId: string, options?: CallOptions): Promise<number[]>;
  /**
   * The counters of the container's cgroup.
   *
   * @throws ContainerdError `not-found`.
   */
  metrics(containerId: string, options?: CallOptions): Promise<TaskMetrics>;
  /**
   * Changes the limits of a running task.
   *
   * @param resources the OCI runtime spec's `linux.resources`, as an object.
   */
  update(containerId: string, resources: object, options?: CallOptions): Promise<void>;
}

const PROCESS: OptionNames<ProcessOptions> = { ...CALL_OPTIONS, execId: true };
const STDIO: OptionNames<Stdio> = { stdin: true, stdout: true, stderr: true, terminal: true };

export const TASKS_OPTIONS: NounOptions<Tasks> = {
  create: ["0", { ...STDIO, containerId: true, rootfs: true, options: true, timeoutMs: true }],
  start: ["1", PROCESS],
  wait: ["1", PROCESS],
  delete: ["1", PROCESS],
  kill: ["2", { ...PROCESS, all: true }],
  get: ["1", PROCESS],
  list: ["0", CALL_OPTIONS],
  exec: ["1", { ...CALL_OPTIONS, ...STDIO, execId: true, process: true }],
  closeStdin: ["1", PROCESS],
  resizePty: ["2", PROCESS],
  pause: ["1", CALL_OPTIONS],
  resume: ["1", CALL_OPTIONS],
  processes: ["1", CALL_OPTIONS],
  pids: ["1", CALL_OPTIONS],
  metrics: ["1", CALL_OPTIONS],
  update: ["2", CALL_OPTIONS],
};

/** Source: containerd, core/runtime/v2/runc task service, Pids. */
function toTaskProcess({ pid, info }: ProcessInfo): TaskProcess {
  const isAdded = info?.typeUrl.endsWith(ProcessDetailsSchema.typeName) === true;
  return { pid, execId: isAdded ? fromBinary(ProcessDetailsSchema, info.value).execId : undefined };
}

const STATUSES: Readonly<Record<number, TaskStatus["status"]>> = {
  [Status.CREATED]: "created",
  [Status.RUNNING]: "running",
  [Status.STOPPED]: "stopped",
  [Status.PAUSED]: "paused",
  [Status.PAUSING]: "pausing",
};

export function createTasks(context: Context): Tasks {
  const { tasks } = context.services;
  return {
    async create({ containerId, timeoutMs, rootfs, ...request }) {
      checkStdio(request);
      return callService(`create the task of container ${containerId}`, async () => {
        const { pid } = await tasks.create(
          { containerId, ...request, rootfs: toWireMounts(rootfs) },
          { timeoutMs },
        );
        return { pid };
      });
    },
    start: (containerId, { execId = "", ...options } = {}) =>
      callService(`start ${nameOf(containerId, execId)}`, async () => {
        const { pid } = await tasks.start({ containerId, execId }, options);
        return { pid };
      }),
    wait: (containerId, { execId = "", signal } = {}) =>
      callService(`wait for ${nameOf(containerId, execId)}`, async () => {
        const { exitStatus, exitedAt } = await waitForExit(context, { containerId, execId }, signal);
        return toExitStatus(exitStatus, exitedAt);
      }),
    delete: (containerId, { execId, ...options } = {}) =>
      callService(`delete ${nameOf(containerId, execId)}`, async () => {
        const deleted =
          execId === undefined
            ? tasks.delete({ containerId }, options)
            : tasks.deleteProcess({ containerId, execId }, options);
        const { exitStatus, exitedAt } = await deleted.catch(explainLiving);
        return toExitStatus(exitStatus, exitedAt);
      }),
    async kill(containerId, signal, { execId = "", all = false, ...options } = {}) {
      const number = signalNumber(signal);
      await callService(`send ${signal} to ${nameOf(containerId, execId)}`, () =>
        tasks.kill({ containerId, execId, signal: number, all }, options),
      );
    },
    get: (containerId, { execId = "", ...options } = {}) =>
      callService(`get ${nameOf(containerId, execId)}`, async () => {
        const { process } = await tasks.get({ containerId, execId }, options);
        // Before containerd 2, the answer does not tell the container of an added process.
        return toTaskStatus({ ...(process as Process), containerId });
      }),
    list: (options) =>
      callService("list tasks", async () => (await tasks.list({}, options)).tasks.map(toTaskStatus)),
    async exec(containerId, { execId, process, signal, timeoutMs, ...stdio }) {
      checkIdentifier("exec id", execId);
      checkStdio(stdio);
      const request = { containerId, execId, spec: toJsonAny(RUNTIME_PROCESS, process), ...stdio };
      await callService(`add ${nameOf(containerId, execId)}`, () =>
        tasks.exec(request, { signal, timeoutMs }),
      );
    },
    async closeStdin(containerId, { execId = "", ...options } = {}) {
      await callService(`close the standard input of ${nameOf(containerId, execId)}`, () =>
        tasks.closeIO({ containerId, execId, stdin: true }, options),
      );
    },
    async resizePty(containerId, { width, height }, { execId = "", ...options } = {}) {
      await callService(`resize the terminal of ${nameOf(containerId, execId)}`, () =>
        tasks.resizePty({ containerId, execId, width, height }, options),
      );
    },
    async pause(containerId, options) {
      await callService(`pause ${nameOf(containerId)}`, () => tasks.pause({ containerId }, options));
    },
    async resume(containerId, options) {
      await callService(`resume ${nameOf(containerId)}`, () => tasks.resume({ containerId }, options));
    },
    processes: (containerId, options) =>
      callService(`list the processes of ${nameOf(containerId)}`, async () =>
        (await tasks.listPids({ containerId }, options)).processes.map(toTaskProcess),
      ),
    pids: (containerId, options) =>
      callService(`list the processes of ${nameOf(containerId)}`, async () => {
        return (await tasks.listPids({ containerId }, options)).processes.map(({ pid }) => pid);
      }),
    metrics: (containerId, options) =>
      callService(`measure ${nameOf(containerId)}`, async () => {
        const { metrics } = await tasks.metrics({ filters: [`id==${containerId}`] }, options);
        return toTaskMetrics(containerId, metrics[0]);
      }),
    async update(containerId, resources, options) {
      const request = { containerId, resources: toJsonAny(RUNTIME_RESOURCES, resources) };
      await callService(`change the limits of ${nameOf(containerId)}`, () => tasks.update(request, options));
    },
  };
}

/** The shim would wait for ever for somebody to open a stderr that it does not use. */
function checkStdio({ terminal = false, stderr = "" }: Stdio): void {
  if (terminal && stderr !== "")
    refuse("stderr: is given together with terminal", "no stderr; a terminal has one stream for its output");
}

/** The shim refuses to delete a running process, but with an error of kind `unknown`. */
function explainLiving(reason: unknown): never {
  const error = ContainerdError.from(reason);
  if (error.kind !== "unknown" || !/cannot delete a \w+ process/.test(error.message)) throw reason;
  throw new ConnectError(error.message, Code.FailedPrecondition, undefined, undefined, reason);
}

function nameOf(containerId: string, execId = ""): string {
  return execId === ""
    ? `the task of container ${containerId}`
    : `process ${execId} of container ${containerId}`;
}

function toExitStatus(exitCode: number, exitedAt: Timestamp | undefined): ExitStatus {
  return { exitCode, exitedAt: toDate(exitedAt) };
}

function toTaskStatus(process: Process): TaskStatus {
  const { id, containerId, pid, status, exitStatus, exitedAt, stdin, stdout, stderr, terminal } = process;
  const known = STATUSES[status] ?? "unknown";
  return {
    id: containerId || id,
    ...(containerId !== "" && containerId !== id && { execId: id }),
    pid,
    status: known,
    stdin,
    stdout,
    stderr,
    terminal,
    ...toExitStatus(exitStatus, exitedAt),
  };
}
