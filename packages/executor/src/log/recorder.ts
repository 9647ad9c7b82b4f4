import { createMaskers } from "../core/mask/mask.js";
import { createExcerpt } from "../core/output/excerpt.js";
import type { OutputIssue } from "../core/output/output-issue.js";
import { createOutputParser } from "../core/output/output-line.js";
import { type LogGap, type LogStream, type StepLog, toStepLog } from "../core/output/step-log.js";
import {
  type OnBacklog,
  OUTPUT_STREAMS,
  type OutputEnd,
  type OutputSink,
  type OutputStore,
  type OutputStream,
} from "../io/io.js";
import { type EventQueue, OUTPUT_BLOCK_BYTES } from "./event-queue.js";
import type { Log } from "./log.js";
import type { LogLimit } from "./log-limit.js";
import { createMemoryStore, type MemoryStore } from "./memory-store.js";

/** A step's output, as far as its result contains it. */
export interface Recording {
  readonly stdout: string;
  readonly stderr: string;
  /** True if a stream was longer than the part in here, or if output is missing. */
  readonly truncated: boolean;
  readonly log: StepLog;
  readonly outputs: Readonly<Record<string, string>>;
  readonly outputIssues: readonly OutputIssue[];
}

/** Handles every chunk of output once: for the events, the parser of output lines, the log and the result. */
export interface Recorder {
  readonly sink: OutputSink;
  /** Keeps what is not read yet within the limit, too: if it is too much, some of it is never read. */
  readonly onBacklog: OnBacklog;
  /** Bytes of a stream are not there any more. They come before all that is read. */
  skip(stream: OutputStream, bytes: number): void;
  /** Whether the step has printed more than its limit, with the policy `fail`. */
  readonly isOverLimit: boolean;
  readonly limit: LogLimit;
  /**
   * Ends the recording: later chunks are ignored.
   *
   * @param isLateReader whether output was lost before the reading began.
   */
  finish(ends: OutputEnd, isLateReader?: boolean): Recording;
}

export interface RecorderOptions {
  readonly events: EventQueue;
  readonly log: Log;
  /** What the output is stored in. Undefined: it is not stored anywhere. */
  readonly store: OutputStore | undefined;
  /** How many bytes of each stream the result contains: the first ones, and the last ones. */
  readonly captureBytes: number;
  readonly limit: LogLimit;
  /** Secrets, which are masked before anything else sees the output. */
  readonly masked: readonly Uint8Array[];
  /** Called when the step has printed more than the limit, with the policy `fail`. */
  readonly onLimit: () => void;
}

/** So much more than the limit may wait to be read: output that comes in bursts is read in full. */
const BACKLOG_BYTES = 32 * 1024 * 1024;
/** The longest form of a secret by the length of the secret: each byte as `\\u00ff`, in lines. */
const FORM_FACTOR = 8;
/** Ends a line for the parser of output lines, as no output, and begins one in its middle. */
const BROKEN_LINE = new TextEncoder().encode("?\n?");

/** Creates the recorder of one step, and opens its log. */
export function createRecorder(options: RecorderOptions): Recorder {
  const { events, log, captureBytes, limit, masked, onLimit } = options;
  const createMasker = masked.length === 0 ? undefined : createMaskers(masked);
  const maskers = createMasker && { stdout: createMasker(), stderr: createMasker() };
  const memory = options.store === undefined ? createMemoryStore() : undefined;
  log.open({
    store: options.store ?? (memory as MemoryStore),
    createMasker: memory === undefined ? createMasker : undefined,
    limit,
  });
  const excerptBytes = Math.min(captureBytes, limit.maxBytes);
  const excerpts = { stdout: createExcerpt(excerptBytes), stderr: createExcerpt(excerptBytes) };
  let room: Promise<void> | undefined;
  const parser = createOutputParser({
    onOutput: (key, value) => {
      room = events.push({ type: "output-value", key, value });
    },
    onIssue: (issue) => {
      room = events.push({ type: "output-issue", ...issue });
    },
  });
  /** How many bytes must not be shown after some were skipped: a secret may have begun in those. */
  const hidden = { stdout: 0, stderr: 0 };
  const hiddenBytes =
    masked.length === 0 ? 0 : FORM_FACTOR * Math.max(...masked.map(({ byteLength }) => byteLength));
  let isOverLimit = false;
  let isOver = false;

  function keep(stream: OutputStream, rawBytes: number, chunk: Uint8Array): number {
    if (memory === undefined)
      return log.append(stream, rawBytes, chunk.byteLength, maskers?.[stream].isIdle ?? true);
    memory.append(stream, chunk);
    return log.append(stream, chunk.byteLength, chunk.byteLength, true);
  }

  function reachLimit(): void {
    if (isOverLimit || limit.policy !== "fail") return;
    isOverLimit = true;
    onLimit();
  }

  function record(stream: OutputStream, rawBytes: number, chunk: Uint8Array): Promise<void> | undefined {
    if (isOver || (chunk.byteLength === 0 && rawBytes === 0)) return undefined;
    const kept = chunk.subarray(0, keep(stream, rawBytes, chunk));
    if (chunk.byteLength === 0) return undefined;
    excerpts[stream].add(chunk);
    if (excerpts.stdout.bytes + excerpts.stderr.bytes > limit.maxBytes) reachLimit();
    room = undefined;
    for (let at = 0; at < kept.byteLength && events.isReadable; at += OUTPUT_BLOCK_BYTES)
      room = events.push({ type: "output", stream, data: kept.subarray(at, at + OUTPUT_BLOCK_BYTES) });
    if (stream === "stdout") parser.push(chunk);
    return room;
  }

  /** Output is lost here, and so is what may be the rest of a secret behind it. */
  function lose(stream: OutputStream, bytes: number): void {
    if (!log.isCut) events.push({ type: "gap", bytes });
    log.skip(stream, bytes);
    excerpts[stream].skip(bytes);
  }

  function skip(stream: OutputStream, bytes: number): void {
    const masker = maskers?.[stream];
    if (masker !== undefined) void record(stream, 0, masker.end());
    if (maskers !== undefined && createMasker !== undefined) maskers[stream] = createMasker();
    if (stream === "stdout") parser.push(BROKEN_LINE);
    hidden[stream] = hiddenBytes;
    lose(stream, bytes);
  }

  function take(stream: OutputStream, chunk: Uint8Array): Promise<void> | undefined {
    const masker = maskers?.[stream];
    const shown = masker?.push(chunk) ?? chunk;
    if (hidden[stream] === 0 || isOver) return record(stream, chunk.byteLength, shown);
    hidden[stream] = Math.max(masker?.isIdle === true ? 0 : 1, hidden[stream] - chunk.byteLength);
    lose(stream, chunk.byteLength);
    return undefined;
  }

  /** How many bytes must not be read so that what is stored stays within the limit. */
  function tooMuch(unreadBytes: number): number {
    const { maxBytes, policy } = limit;
    if (policy === "truncate")
      return log.isCut && unreadBytes > BACKLOG_BYTES ? unreadBytes - captureBytes : 0;
    if (policy === "drop-oldest") return unreadBytes > maxBytes + BACKLOG_BYTES ? unreadBytes - maxBytes : 0;
    if (excerpts.stdout.bytes + excerpts.stderr.bytes + unreadBytes > maxBytes) reachLimit();
    return 0;
  }

  /** Nobody knows how much is missing. A stream of which all is missing has one gap. */
  const lostBeginnings = (ends: OutputEnd): LogGap[] =>
    OUTPUT_STREAMS.filter((stream) => excerpts[stream].bytes > 0 || ends[stream] === "whole").map(
      (stream) => ({ stream, offset: 0, reason: "not-read" }),
    );

  return {
    sink: take,
    onBacklog(stream, unreadBytes) {
      if (isOver) return 0;
      log.dropOldest(unreadBytes);
      const bytes = Math.max(0, tooMuch(unreadBytes));
      if (bytes > 0) skip(stream, bytes);
      return bytes;
    },
    skip(stream, bytes) {
      if (bytes > 0) skip(stream, bytes);
    },
    get isOverLimit() {
      return isOverLimit;
    },
    limit,
    finish(ends, isLateReader = false) {
      for (const stream of OUTPUT_STREAMS)
        if (hidden[stream] === 0) void record(stream, 0, maskers?.[stream].end() ?? new Uint8Array(0));
      parser.end();
      isOver = true;
      const stdout = excerpts.stdout.read();
      const stderr = excerpts.stderr.read();
      const gaps = log.gaps();
      const cutBytes = limit.policy === "truncate" ? gaps.reduce((sum, { bytes = 0 }) => sum + bytes, 0) : 0;
      if (cutBytes > 0) events.push({ type: "gap", bytes: cutBytes });
      const stepLog = toStepLog(
        { stdout: summary(excerpts.stdout.bytes, stdout), stderr: summary(excerpts.stderr.bytes, stderr) },
        ends,
        isLateReader ? [...lostBeginnings(ends), ...gaps] : gaps,
      );
      return {
        stdout: stdout.head,
        stderr: stderr.head,
        truncated: stdout.truncated || stderr.truncated || stepLog.complete === false,
        log: stepLog,
        outputs: { ...parser.outputs },
        outputIssues: [...parser.issues],
      };
    },
  };
}

function summary(bytes: number, { tail, omittedBytes }: { tail: string; omittedBytes: number }): LogStream {
  return { bytes, tail, omittedBytes };
}
