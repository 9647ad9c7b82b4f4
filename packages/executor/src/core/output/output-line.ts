import { createIssueLog, OUTPUT_LINE_FORMAT as FORMAT, type OutputIssue } from "./output-issue.js";
import { toVariableName } from "./variable-name.js";

/** What a step's outputs may add up to: a step may print whatever it likes. What is over a limit is an {@link OutputIssue}. */
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
const isKey = (key: string): boolean => KEY.test(key) && !RESERVED.has(key);

export interface OutputParser {
  /** Takes the next bytes of standard output, cut anywhere. */
  push(chunk: Uint8Array): void;
  /** No more follows: a last line without a newline counts. */
  end(): void;
  /** In the order in which each was last set. */
  readonly outputs: Readonly<Record<string, string>>;
  /** Each once for a key and a reason, the first hundred of them. */
  readonly issues: readonly OutputIssue[];
}

export interface OutputParserOptions {
  readonly onOutput?: ((key: string, value: string) => void) | undefined;
  readonly onIssue?: ((issue: OutputIssue) => void) | undefined;
  readonly limits?: Partial<OutputLimits> | undefined;
}

/**
 * Finds lines `##wfe[output key=value]` in a stream of bytes.
 *
 * The mark stands at the start of a line, and the last `]` ends it; a carriage return after that is let go. A key is a letter or
 * `_`, then letters, digits, `_` and `-`. The value is everything between the first `=` and that `]`. The last of a key wins. A line
 * that begins with the mark and is not such a line is an issue. Memory is bounded by `limits`, however long a line is.
 */
export function createOutputParser(options: OutputParserOptions = {}): OutputParser {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const outputs = Object.create(null) as Record<string, string>;
  const issues = createIssueLog(options.onIssue);
  /** The key that a variable's value comes from. */
  const variables = new Map<string, string>();
  const line = new Uint8Array(limits.lineBytes);
  let length = 0;
  let isOrdinary = false;
  let count = 0;
  let totalBytes = 0;

  function take(part: Uint8Array): void {
    if (isOrdinary || part.byteLength === 0) return;
    const room = limits.lineBytes - length;
    line.set(part.subarray(0, room), length);
    length = Math.min(length + part.byteLength, limits.lineBytes);
    // As soon as it cannot be a mark, the rest of the line need not be kept.
    const compared = Math.min(length, PREFIX.byteLength);
    for (let at = 0; at < compared; at++) if (line[at] !== PREFIX[at]) isOrdinary = true;
    if (isOrdinary || part.byteLength <= room) return;
    isOrdinary = true;
    refuseLongLine();
  }

  function refuseLongLine(): void {
    const start = decode(line.subarray(PREFIX.byteLength, PREFIX.byteLength + 512));
    const name = start.includes("=") ? start.slice(0, start.indexOf("=")).trim() : "";
    const key = isKey(name) ? name : undefined;
    const what = key === undefined ? "an output line" : `output ${key}: its line`;
    issues.add({
      reason: "line-too-long",
      ...(key !== undefined && { key }),
      message: `${what} has more than ${limits.lineBytes} bytes; allowed: up to ${limits.lineBytes} bytes`,
    });
  }

  function finishLine(): void {
    if (!isOrdinary && length >= PREFIX.byteLength) {
      record(decode(line.subarray(PREFIX.byteLength, length)));
    }
    length = 0;
    isOrdinary = false;
  }

  function record(rest: string): void {
    const text = rest.endsWith("\r") ? rest.slice(0, -1) : rest;
    const equals = text.indexOf("=");
    const key = text.slice(0, equals).trim();
    if (!text.endsWith("]") || equals === -1 || !isKey(key)) {
      issues.add({
        reason: "invalid-line",
        message: `the line ${quoteStart(text)} is not an output; ${FORMAT}`,
      });
      return;
    }
    const value = text.slice(equals + 1, -1);
    const old = outputs[key];
    const grows = sizeOf(key, value) - (old === undefined ? 0 : sizeOf(key, old));
    const problem = problemWith(value, old === undefined, grows);
    if (problem !== undefined) {
      issues.add({ reason: problem.reason, key, message: `output ${key}: ${problem.message}` });
      return;
    }
    // Taken out first, so that the order is that of the last change.
    delete outputs[key];
    outputs[key] = value;
    count += old === undefined ? 1 : 0;
    totalBytes += grows;
    noteVariable(key);
    options.onOutput?.(key, value);
  }

  function problemWith(
    value: string,
    isNew: boolean,
    grows: number,
  ): Pick<OutputIssue, "reason" | "message"> | undefined {
    if (value.includes("\0"))
      return { reason: "nul", message: "its value has a NUL byte; allowed: text without NUL bytes" };
    if (isNew && count >= limits.count)
      return {
        reason: "too-many",
        message: `the step has ${count} outputs already; allowed: up to ${limits.count}`,
      };
    if (totalBytes + grows > limits.totalBytes)
      return {
        reason: "too-large",
        message: `with it the step's outputs have more than ${limits.totalBytes} bytes; allowed: up to ${limits.totalBytes} bytes together`,
      };
    return undefined;
  }

  function noteVariable(key: string): void {
    const variable = toVariableName(key);
    const other = variables.get(variable);
    variables.set(variable, key);
    if (other === undefined || other === key) return;
    issues.add({
      reason: "same-variable",
      key,
      message: `outputs ${other} and ${key} become the same variable of the next steps; they get ${key}, which was printed later`,
    });
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
    issues: issues.all,
  };
}

/** The line up to its value. */
function quoteStart(text: string): string {
  const [start = ""] = text.split("=", 1);
  return JSON.stringify(`##wfe[output ${start.slice(0, 40)}${start === text ? "" : "=..."}`);
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

function sizeOf(key: string, value: string): number {
  return key.length + new TextEncoder().encode(value).byteLength;
}

/** Where, from the start of a line on, the next line begins that may be marked; -1 when none does. */
function findMark(chunk: Uint8Array, start: number): number {
  const [first = 0] = PREFIX;
  let at = chunk.indexOf(first, start);
  while (at > start && chunk[at - 1] !== NEWLINE) at = chunk.indexOf(first, at + 1);
  return at;
}
