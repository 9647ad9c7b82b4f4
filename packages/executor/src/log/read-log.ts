import type { OptionNames } from "@wfe-containerd/client/internal";
import type { Masker } from "../core/mask/mask.js";
import { ExecutorError } from "../error.js";
import { OUTPUT_STREAMS, type OutputStream } from "../io/io.js";
import { checkOptions } from "../options.js";
import type { Position } from "./journal.js";
import type { LogChunk, LogEntry, LogReadOptions } from "./log-entry.js";
import type { LogSource, LogState } from "./log-state.js";

const READ_BYTES = 64 * 1024;
/** The most that one chunk has. Small copies are freed early. */
const CHUNK_BYTES = 16 * 1024;

/** One reader's place in a stream. It masks again what is stored, from the last place where it may begin. */
interface Cursor {
  position: Position;
  masker: Masker | undefined;
}

const READ_OPTIONS: OptionNames<LogReadOptions> = {
  from: { stdout: true, stderr: true },
  follow: true,
  signal: true,
};

/**
 * Reads a log.
 *
 * @throws ExecutorError `invalid-argument` for invalid options, and after the log was closed.
 */
export async function* readLog(
  log: LogState,
  options: LogReadOptions = {},
): AsyncGenerator<LogEntry, void, undefined> {
  checkOptions("log.read", options, READ_OPTIONS);
  const { from = {}, follow = true, signal } = options;
  for (const stream of OUTPUT_STREAMS) checkOffset(stream, from[stream] ?? 0);
  signal?.throwIfAborted();
  while (log.source === undefined && follow && !log.isOver) await changed(log, signal);
  const { source } = log;
  if (source === undefined) return refuseIfClosed(log);
  const wanted = { stdout: from.stdout ?? 0, stderr: from.stderr ?? 0 };
  const begin = (stream: OutputStream): Position =>
    source.createMasker === undefined
      ? { raw: wanted[stream], bytes: wanted[stream] }
      : log.journal.seek(stream, wanted[stream]);
  /** Reused: memory that lives while the kernel fills it becomes old, and is freed late. */
  const buffer = new Uint8Array(READ_BYTES);
  const createCursor = (position: Position): Cursor => ({ position, masker: source.createMasker?.() });
  const cursors = { stdout: createCursor(begin("stdout")), stderr: createCursor(begin("stderr")) };

  /** Counts bytes, and gives the part of them that was asked for and is kept. */
  function take(stream: OutputStream, raw: number, data: Uint8Array): Pick<LogChunk, "offset" | "data">[] {
    const cursor = cursors[stream];
    const { bytes } = cursor.position;
    cursor.position = { raw, bytes: bytes + data.byteLength };
    const start = Math.max(bytes, wanted[stream]);
    const end = Math.min(bytes + data.byteLength, log.cut?.[stream].bytes ?? Number.POSITIVE_INFINITY);
    if (end <= start) return [];
    return [{ offset: start, data: data.subarray(start - bytes, end - bytes) }];
  }

  async function* readTo(stream: OutputStream, end: number, timeMs: number): AsyncGenerator<LogEntry> {
    const cursor = cursors[stream];
    const time = new Date(timeMs);
    while (cursor.position.raw < end) {
      signal?.throwIfAborted();
      const { raw } = cursor.position;
      const part = buffer.subarray(0, end - raw);
      const count = await (source as LogSource).store.read(stream, raw, part).catch((reason: unknown) => {
        refuseIfClosed(log);
        throw reason;
      });
      refuseIfClosed(log);
      // It was freed while we read. The next round tells it.
      if (log.base[stream].raw > raw) return;
      if (count === 0)
        throw new ExecutorError(`the log ends before byte ${end} of ${stream}`, { kind: "io" });
      const read = buffer.subarray(0, count);
      for (const { offset, data } of take(stream, raw + count, cursor.masker?.push(read) ?? read)) {
        for (let at = 0; at < data.byteLength; at += CHUNK_BYTES) {
          const piece = data.slice(at, at + CHUNK_BYTES);
          yield { type: "output", stream, offset: offset + at, time, data: piece };
        }
      }
    }
  }

  function* skipFreed(): Generator<LogEntry> {
    for (const stream of OUTPUT_STREAMS) {
      const base = log.base[stream];
      const { position } = cursors[stream];
      if (base.raw <= position.raw) continue;
      cursors[stream] = createCursor(base);
      const offset = Math.max(position.bytes, wanted[stream]);
      if (base.bytes > offset) yield { type: "gap", stream, offset, bytes: base.bytes - offset };
    }
  }

  for (;;) {
    signal?.throwIfAborted();
    refuseIfClosed(log);
    yield* skipFreed();
    const mark = log.journal.after({
      stdout: cursors.stdout.position.raw,
      stderr: cursors.stderr.position.raw,
    });
    if (mark !== undefined) {
      for (const stream of OUTPUT_STREAMS) yield* readTo(stream, mark.ends[stream].raw, mark.timeMs);
    } else if (log.isOver || !follow) break;
    else await changed(log, signal);
  }
  if (!log.isOver) return;
  for (const stream of OUTPUT_STREAMS) {
    const { position, masker } = cursors[stream];
    for (const rest of take(stream, position.raw, masker?.end() ?? new Uint8Array(0)))
      yield { type: "output", stream, time: new Date(), ...rest };
    const cutAt = Math.max(log.cut?.[stream].bytes ?? 0, wanted[stream]);
    const bytes = (log.cut?.[stream].bytes ?? 0) + log.cutBytes[stream] - cutAt;
    if (log.cutBytes[stream] > 0 && bytes > 0) yield { type: "gap", stream, offset: cutAt, bytes };
  }
}

function checkOffset(stream: OutputStream, offset: number): void {
  if (Number.isSafeInteger(offset) && offset >= 0) return;
  throw new ExecutorError(
    `from.${stream}: ${offset} is not an offset; allowed: a whole number, 0 or more; example: 4096`,
    { kind: "invalid-argument" },
  );
}

function refuseIfClosed({ isClosed }: LogState): void {
  if (!isClosed) return;
  throw new ExecutorError(
    "the step's log is not kept any more: its handle was disposed of, or newer logs needed the space",
    {
      kind: "invalid-argument",
    },
  );
}

async function changed(log: LogState, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  if (signal === undefined) return log.changed();
  let onAbort = (): void => undefined;
  const aborted = new Promise<void>((resolve) => {
    onAbort = resolve;
  });
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await Promise.race([log.changed(), aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
