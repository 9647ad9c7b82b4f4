import type { StepInput } from "./core/step/step-input.js";
import type { DetachedExecInput } from "./detach-exec.js";
import type { ExecInput } from "./exec-input.js";
import type {
  AttachOptions,
  CloseOptions,
  DetachOptions,
  RecoverOptions,
  RunOptions,
  StartOptions,
} from "./executor-options.js";
import type { StepHandle } from "./handle.js";
import type { ReapReport } from "./record/leftover.js";
import type { ReapOptions } from "./record/reap.js";
import type { RunResult } from "./run-to-end.js";
import type {
  ConnectOptions,
  ListedSession,
  OpenOptions,
  Session,
  SessionInput,
  SnapshotSessionInput,
} from "./session.js";
import type { SessionSnapshot } from "./snapshots/session-snapshot.js";
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
   * own deadlines count in the process that opened it; those that are given here, in this one. `lifetimeMs`
   * for a session of `detached` sets its life time for all processes.
   *
   * @param session its id, or its name, if no other step has that name.
   * @throws ExecutorError `invalid-argument` if there is no such step; `refused` if it is no running session,
   * the value of a secret is missing, the policy allows no such life time, or its executor has
   * `ioMode: "fifo"`.
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
   * A session of such a process is not among them: its container only waits, for whoever uses it. `sessions`
   * lists it, `connect` enters it, and `reap` removes it, the executor's own after `orphanGraceMs`. With
   * `policy: "stop"` it gets a handle, too, and is ended.
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
   * ended and are released. It also waits until the sessions that this executor has opened without `detached`
   * are closed: close them, or give them an `idleTimeoutMs`. `close` can be called at any time, also to end
   * the waiting; after `drain` it has nothing to wait for. Never rejects. Further calls return the promise of
   * the first.
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
