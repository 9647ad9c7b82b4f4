import type { WorkflowData } from "./core/output/workflow-data.js";
import type { TerminalSize } from "./core/spec/terminal.js";
import type { ExecFields } from "./core/step/exec.js";
import type { StdinSource } from "./io/stdin-source.js";

/** How a process is started: what it is connected to, and who may stop it. */
export interface ProcessOptions {
  /** Aborting it stops the process: stop signal, grace period, SIGKILL. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Values of the workflow. Each becomes an environment variable of the process, in upper case. A name is
   * refused if it is a variable of the image, or one that programs obey, such as `LD_PRELOAD`.
   */
  readonly data?: WorkflowData | undefined;
  /**
   * What the process reads from its standard input, to its end: text, bytes, a Readable, or anything that
   * gives texts or bytes. It is read no faster than the process reads, and not at all once the process has
   * ended. With a daemon on another machine, it is read to its end before the process is started, and may
   * have up to 1 GiB. Default: nothing.
   */
  readonly stdin?: StdinSource | undefined;
  /**
   * Gives the process a terminal of this size. Its output is then all in stdout. Only with a daemon on this
   * machine. Default: no terminal.
   */
  readonly terminal?: TerminalSize | undefined;
}

/** A further process in the container of a running step. */
export interface ExecInput extends ExecFields, ProcessOptions {}
