import type { StreamEnd } from "../core/output/step-log.js";
import type { StdinSource } from "./stdin-source.js";

export type OutputStream = "stdout" | "stderr";

/** In the order of their descriptors. */
export const OUTPUT_STREAMS: readonly OutputStream[] = ["stdout", "stderr"];

/**
 * Takes a chunk of output. The bytes are the reader's own buffer: copy them if you keep them. The reader
 * waits for a returned promise.
 */
export type OutputSink = (stream: OutputStream, chunk: Uint8Array) => Promise<void> | undefined;

/**
 * Takes how many bytes of a stream are stored and not read.
 *
 * @returns how many of them, the first ones, must not be read. Their space is freed already.
 */
export type OnBacklog = (stream: OutputStream, bytes: number) => number;

/** How the output ended. */
export type OutputEnd = Readonly<Record<OutputStream, StreamEnd>>;

/** The process whose output it is. */
export interface OutputProcess {
  /** Its id on the daemon's machine. Undefined: it has ended. */
  readonly pid: number | undefined;
  /** Whether that is a process id of this machine, too. */
  readonly isLocal: boolean;
}

/** What a process's streams must be able to do. */
export interface IoRequest {
  /** What it reads from its standard input. Undefined: nothing. */
  readonly stdin: StdinSource | undefined;
  /** Whether its standard input stays open, for whoever attaches to it. */
  readonly openStdin: boolean;
  /** Whether it gets a terminal, which has no separate stderr. */
  readonly terminal: boolean;
  /** Whether it can go on without this process. Then nobody reads its output as it comes. */
  readonly canOutlive: boolean;
  /** Aborted when the process is not to be started any more. */
  readonly stop: AbortSignal;
}

/** What is kept of a step's output, not masked yet. */
export interface OutputStore {
  /**
   * Reads what is there at a place of a stream.
   *
   * @returns how many bytes.
   */
  read(stream: OutputStream, position: number, buffer: Uint8Array): Promise<number>;
  /** Frees space: what is in this range will not be read again. */
  free(stream: OutputStream, from: number, to: number): Promise<void>;
  /** What it takes of the disk. */
  storedBytes(): Promise<number>;
  /** Where a stream begins, if the store drops the oldest by itself. */
  begin?(stream: OutputStream): number;
  close(): Promise<void>;
}

/** The way of a task's output: paths that the shim opens on the daemon's machine, and readers on ours. */
export interface StepIo {
  /** Arguments of Tasks.Create and Tasks.Exec. Without stdin the shim gives the process /dev/null. */
  readonly stdio: {
    readonly stdin: string;
    readonly stdout: string;
    readonly stderr: string;
    readonly terminal: boolean;
  };
  /**
   * When all output can be read.
   *
   * - `exit`: the pipes end with the process. Deleting the task earlier would lose the data that is still in
   *   them.
   * - `delete`: only the deletion of the task shows that the shim has copied everything.
   */
  readonly completeAfter: "exit" | "delete";
  /** Whether its whole input is there already, and nobody needs to write it. @default false */
  readonly hasInput?: boolean;
  /** What the output can be read from again; undefined if it is not stored. Whoever takes it closes it. */
  takeStore(): OutputStore | undefined;
  /**
   * Starts reading. Call it before Tasks.Create, because the shim waits for a reader of a FIFO.
   *
   * @param onBacklog called now and then for output that is stored and that the sink has not been given.
   */
  read(sink: OutputSink, onBacklog: OnBacklog): void;
  /**
   * From now on, output that is lost on its way is noticed. Call it between Tasks.Create and Tasks.Start; of
   * an added process right after its start, because it does not exist earlier. If it succeeds, call `seal` or
   * `release` before the process is deleted: the deletion waits for us.
   *
   * @returns whether `seal` will mark the end of the output.
   */
  attach(process: OutputProcess): Promise<boolean>;
  /**
   * Resolves when all output was read, as far as that can be known before the task is deleted: when the mark
   * of `seal` was read in both streams.
   */
  readonly arrived: Promise<unknown>;
  /** Marks the end of the output. Call it when the process has ended, and before the task is deleted. */
  seal(): Promise<void>;
  /** Lets the task's deletion end, if `seal` was not called. */
  release(): Promise<void>;
  /** Reads a stream to its end, once nothing more will be written. Tells whether something is missing. */
  finish(stream: OutputStream): Promise<StreamEnd>;
  /** Rejects if output can no longer be stored or read. Never resolves. */
  readonly failed: Promise<never>;
  /** Makes `failed` reject. */
  fail(reason: unknown): void;
  /** Stops reading, and closes descriptors. The files stay. May be called at any time, also twice. */
  close(): Promise<void>;
}
