/** How far to read: an offset in each stream, after masking. */
export interface LogOffsets {
  readonly stdout?: number | undefined;
  readonly stderr?: number | undefined;
}

/** Output of a step, read from its log. */
export interface LogChunk {
  readonly type: "output";
  readonly stream: "stdout" | "stderr";
  /** Where it begins in its stream. */
  readonly offset: number;
  /** When it was read from the step, by the clock of the executor's machine. */
  readonly time: Date;
  readonly data: Uint8Array;
}

/** Output that is no longer there to read: see `maxLogBytes`. */
export interface LogHole {
  readonly type: "gap";
  readonly stream: "stdout" | "stderr";
  readonly offset: number;
  /** How many bytes are missing. */
  readonly bytes: number;
}

export type LogEntry = LogChunk | LogHole;

/** A line of a step's output. */
export interface LogLine {
  readonly stream: "stdout" | "stderr";
  /** Where it begins in its stream, in bytes. */
  readonly offset: number;
  readonly time: Date;
  /** Without the end of the line. Invalid UTF-8 is replaced. Ends with a mark if bytes are missing. */
  readonly text: string;
  /** How many bytes are not in `text`: of a line that is too long, or of output that is no longer there. */
  readonly omittedBytes: number;
}

/** Options of `LogReader.read`. */
export interface LogReadOptions {
  /** Where to begin. Default: at the beginning of both streams. */
  readonly from?: LogOffsets | undefined;
  /**
   * Whether to wait for more output until the step has ended.
   *
   * @default true
   */
  readonly follow?: boolean | undefined;
  /** Aborting it ends the reading with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of `LogReader.lines`. */
export interface LogLinesOptions extends LogReadOptions {
  /**
   * The most bytes of a line that `text` has.
   *
   * @default 65536
   */
  readonly maxLineBytes?: number | undefined;
}

/**
 * The output of a step, to be read by any number of readers, from any offset, while the step runs and
 * afterwards, until the handle is disposed of. Readers do not slow the step.
 */
export interface LogReader {
  /** Both streams, in chunks, in the order in which they were read from the step. */
  read(options?: LogReadOptions): AsyncGenerator<LogEntry, void, undefined>;
  /** The same in whole lines of text. */
  lines(options?: LogLinesOptions): AsyncGenerator<LogLine, void, undefined>;
}
