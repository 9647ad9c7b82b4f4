/** What a step's outputs may add up to; more is ignored, for a step may print whatever it likes. */
export interface OutputLimits {
  /** Of a line, with its marks. */
  readonly lineBytes: number;
  readonly count: number;
  /** Of all keys and values together. */
  readonly totalBytes: number;
}

const DEFAULT_LIMITS: OutputLimits = { lineBytes: 64 * 1024, count: 1024, totalBytes: 1024 * 1024 };
const PREFIX = new TextEncoder().encode("##wfe[output ");
const NEWLINE = 0x0a;
/** Names that would reach into an object's prototype somewhere downstream. */
const RESERVED = new Set(["__proto__", "constructor", "prototype"]);
/** No dots: these part a step's name from its outputs' in workflow data. */
const KEY = /^[A-Za-z_][A-Za-z0-9_-]{0,127}$/;

export interface OutputParser {
  /** Takes the next bytes of standard output, cut anywhere. */
  push(chunk: Uint8Array): void;
  /** No more follows: a last line without a newline counts. */
  end(): void;
  readonly outputs: Readonly<Record<string, string>>;
}

/**
 * Finds lines `##wfe[output key=value]` in a stream of bytes.
 *
 * The mark stands at the start of a line, and the last `]` ends it; a carriage return after that is let go. A key is a letter or
 * `_`, then letters, digits, `_` and `-`. The value is everything between the first `=` and that `]`. The last of a key wins. What is
 * not so is an ordinary line. Memory is bounded by `limits`, however long a line is.
 */
export function createOutputParser(
  options: { onOutput?: (key: string, value: string) => void; limits?: Partial<OutputLimits> } = {},
): OutputParser {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const outputs = Object.create(null) as Record<string, string>;
  const line = new Uint8Array(limits.lineBytes);
  let length = 0;
  let isOrdinary = false;
  let count = 0;
  let totalBytes = 0;

  function take(part: Uint8Array): void {
    if (isOrdinary || part.byteLength === 0) return;
    if (length + part.byteLength > limits.lineBytes) {
      isOrdinary = true;
      return;
    }
    line.set(part, length);
    length += part.byteLength;
    // As soon as it cannot be a mark, the rest of the line need not be kept.
    const compared = Math.min(length, PREFIX.byteLength);
    for (let at = 0; at < compared; at++) if (line[at] !== PREFIX[at]) isOrdinary = true;
  }

  function finishLine(): void {
    if (!isOrdinary && length > PREFIX.byteLength) {
      record(new TextDecoder().decode(line.subarray(PREFIX.byteLength, length)));
    }
    length = 0;
    isOrdinary = false;
  }

  function record(rest: string): void {
    const text = rest.endsWith("\r") ? rest.slice(0, -1) : rest;
    const equals = text.indexOf("=");
    if (!text.endsWith("]") || equals === -1) return;
    const key = text.slice(0, equals).trim();
    const value = text.slice(equals + 1, -1);
    if (!KEY.test(key) || RESERVED.has(key)) return;
    const isNew = !(key in outputs);
    const grows = key.length + value.length - (isNew ? 0 : key.length + (outputs[key] as string).length);
    if ((isNew && count >= limits.count) || totalBytes + grows > limits.totalBytes) return;
    outputs[key] = value;
    count += isNew ? 1 : 0;
    totalBytes += grows;
    options.onOutput?.(key, value);
  }

  return {
    push(chunk) {
      let start = 0;
      if (length > 0 || isOrdinary) {
        const end = chunk.indexOf(NEWLINE);
        if (end === -1) return take(chunk);
        take(chunk.subarray(0, end));
        finishLine();
        start = end + 1;
      }
      // Not line by line: a step may print hundreds of millions of them.
      for (let mark = findMark(chunk, start); mark !== -1; mark = findMark(chunk, start)) {
        const end = chunk.indexOf(NEWLINE, mark);
        if (end === -1) return take(chunk.subarray(mark));
        take(chunk.subarray(mark, end));
        finishLine();
        start = end + 1;
      }
      // It has no mark, but for what the next chunk may make one.
      take(chunk.subarray(Math.max(start, chunk.lastIndexOf(NEWLINE) + 1)));
    },
    end: finishLine,
    outputs,
  };
}

/** Where, from the start of a line on, the next line begins that may be marked; -1 when none does. */
function findMark(chunk: Uint8Array, start: number): number {
  const [first = 0] = PREFIX;
  let at = chunk.indexOf(first, start);
  while (at > start && chunk[at - 1] !== NEWLINE) at = chunk.indexOf(first, at + 1);
  return at;
}
