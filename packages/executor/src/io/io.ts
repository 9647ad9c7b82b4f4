/**
 * Takes a chunk of output. The bytes are the reader's own buffer: copy them if you keep them. The reader
 * waits for a returned promise.
 */
export type OutputSink = (stream: "stdout" | "stderr", chunk: Uint8Array) => Promise<void> | undefined;

/** The way of a task's output: paths that the shim opens on the daemon's machine, and readers on ours. */
export interface StepIo {
  /** Arguments of Tasks.Create. There is no stdin: the shim gives the process /dev/null. */
  readonly stdio: { readonly stdin: ""; readonly stdout: string; readonly stderr: string };
  /**
   * When all output can be read.
   *
   * - `exit`: the pipes end with the process. Deleting the task earlier would lose the data that is still in
   *   them.
   * - `delete`: only the deletion of the task shows that the shim has copied everything.
   */
  readonly completeAfter: "exit" | "delete";
  /** Starts reading. Call it before Tasks.Create, because the shim waits for a reader of a FIFO. */
  read(sink: OutputSink): void;
  /**
   * Reads to the end, once nothing more will be written. False if the end did not come in time, so that some
   * output may be missing.
   */
  finish(): Promise<boolean>;
  /** Rejects if output can no longer be stored or read. Never resolves. */
  readonly failed: Promise<never>;
  /** Stops reading, and closes descriptors. The files stay. May be called at any time, also twice. */
  close(): Promise<void>;
}
