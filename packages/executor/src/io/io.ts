/** Takes a chunk of output. The bytes are the reader's own buffer: copy what must outlive the call. A promise asks the reader to wait. */
export type TakeOutput = (stream: "stdout" | "stderr", chunk: Uint8Array) => Promise<void> | undefined;

/** What a task's output runs through: paths that the shim opens on the daemon's side, and readers on ours. */
export interface StepIo {
  /** For Tasks.Create. No stdin: the shim gives the process /dev/null. */
  readonly stdio: { readonly stdin: ""; readonly stdout: string; readonly stderr: string };
  /**
   * When all output is in our hands: `exit`, the pipes end with the process, and deleting the task earlier would lose what
   * they still hold; `delete`, the shim is known to have copied everything only once the task is deleted.
   */
  readonly completeAfter: "exit" | "delete";
  /** Starts reading; call before Tasks.Create, whose shim waits for a reader of a FIFO. */
  read(take: TakeOutput): void;
  /** No more will be written: reads to the end. False if the end did not come in time, so that some output may be missing. */
  finish(): Promise<boolean>;
  /** Rejects when output can no longer be stored or read. Never resolves. */
  readonly failed: Promise<never>;
  /** Stops reading and removes files and descriptors. Safe to call in any state, and twice. */
  close(): Promise<void>;
}
