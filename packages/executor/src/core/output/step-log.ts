/**
 * Why output is missing.
 *
 * - `not-stored`: the shim could not write it. Mostly the disk of the output directory was full, if only for
 *   a moment.
 * - `not-read`: it was not read to its end in time: after `kill()`, or because the pipe stayed open. At
 *   offset 0: a process that has ended had read it from the pipes (`ioMode: "fifo"`).
 * - `log-limit`: the step printed more than `maxLogBytes`.
 */
export type LogGapReason = "not-stored" | "not-read" | "log-limit";

/** A place in a stream where output is missing. */
export interface LogGap {
  readonly stream: "stdout" | "stderr";
  /** How many bytes of the stream come before it. */
  readonly offset: number;
  /** How many bytes are missing, if that is known. */
  readonly bytes?: number | undefined;
  readonly reason: LogGapReason;
}

/** One stream of a step's output, as far as its result contains it. */
export interface LogStream {
  /** How many bytes were read, after masking; also those that were not kept. */
  readonly bytes: number;
  /** The last bytes, as UTF-8. They overlap with the head (`result.stdout`) if the stream is short. */
  readonly tail: string;
  /** How many bytes are neither in the head nor in the tail. */
  readonly omittedBytes: number;
}

/** What is known of a step's output. */
export interface StepLog {
  /**
   * Whether everything that the step printed was read and kept.
   *
   * - `false`: output is missing, and `gaps` says where.
   * - `unknown`: nothing seems to be missing, but it cannot be proved. This is so with a daemon on another
   *   machine if a stream has more than 1 MiB, and if the shim has died.
   */
  readonly complete: boolean | "unknown";
  readonly gaps: readonly LogGap[];
  readonly stdout: LogStream;
  readonly stderr: LogStream;
}

/** How a stream ended: with all its output, not known, or why the rest is missing. */
export type StreamEnd = "whole" | "unknown" | LogGapReason;

/** Puts together what is known of both streams. */
export function toStepLog(
  streams: Readonly<Record<"stdout" | "stderr", LogStream>>,
  ends: Readonly<Record<"stdout" | "stderr", StreamEnd>>,
  limited: readonly LogGap[],
): StepLog {
  const lost = (["stdout", "stderr"] as const).flatMap((stream): LogGap[] => {
    const end = ends[stream];
    if (end === "whole" || end === "unknown") return [];
    return [{ stream, offset: streams[stream].bytes, reason: end }];
  });
  const gaps = [...limited, ...lost];
  const isUnknown = Object.values(ends).includes("unknown");
  return { complete: gaps.length > 0 ? false : isUnknown ? "unknown" : true, gaps, ...streams };
}
