import { ExecutorError } from "../error.js";
import type { OutputStream } from "../io/io.js";
import type { LogEntry, LogLine } from "./log-entry.js";

const DEFAULT_LINE_BYTES = 64 * 1024;
const NEWLINE = 0x0a;

interface OpenLine {
  readonly offset: number;
  readonly time: Date;
  readonly parts: Uint8Array[];
  keptBytes: number;
  omittedBytes: number;
}

/** Puts the chunks of both streams together to lines, in bounded memory. */
export async function* toLines(
  entries: AsyncIterable<LogEntry>,
  maxLineBytes = DEFAULT_LINE_BYTES,
): AsyncGenerator<LogLine, void, undefined> {
  if (!Number.isSafeInteger(maxLineBytes) || maxLineBytes < 1) {
    throw new ExecutorError(
      `maxLineBytes: ${maxLineBytes} is not a number of bytes; allowed: a whole number, 1 or more; example: 4096`,
      { kind: "invalid-argument" },
    );
  }
  const open: Partial<Record<OutputStream, OpenLine>> = {};

  function add(stream: OutputStream, offset: number, time: Date, part: Uint8Array): void {
    const line = open[stream] ?? { offset, time, parts: [], keptBytes: 0, omittedBytes: 0 };
    open[stream] = line;
    const kept = part.slice(0, maxLineBytes - line.keptBytes);
    if (kept.byteLength > 0) line.parts.push(kept);
    line.keptBytes += kept.byteLength;
    line.omittedBytes += part.byteLength - kept.byteLength;
  }

  function* close(stream: OutputStream): Generator<LogLine> {
    const line = open[stream];
    if (line === undefined) return;
    delete open[stream];
    yield toLine(stream, line);
  }

  for await (const entry of entries) {
    const { stream, offset } = entry;
    if (entry.type === "gap") {
      yield* close(stream);
      const text = `[${entry.bytes} bytes are missing here]`;
      yield { stream, offset, time: new Date(), text, omittedBytes: entry.bytes };
      continue;
    }
    const { data, time } = entry;
    let start = 0;
    for (let end = data.indexOf(NEWLINE); end !== -1; end = data.indexOf(NEWLINE, start)) {
      add(stream, offset + start, time, data.subarray(start, end));
      yield* close(stream);
      start = end + 1;
    }
    if (start < data.byteLength) add(stream, offset + start, time, data.subarray(start));
  }
  yield* close("stdout");
  yield* close("stderr");
}

function toLine(stream: OutputStream, { offset, time, parts, omittedBytes }: OpenLine): LogLine {
  const whole = new TextDecoder("utf-8", { ignoreBOM: true }).decode(Buffer.concat(parts));
  const text =
    omittedBytes > 0 ? `${whole} [${omittedBytes} more bytes in this line]` : whole.replace(/\r$/, "");
  return { stream, offset, time, text, omittedBytes };
}
