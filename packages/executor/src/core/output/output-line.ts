import { createIssueLog, OUTPUT_LINE_FORMAT as FORMAT, type OutputIssue } from "./output-issue.js";
import { toVariableName } from "./variable-name.js";

/**
 * Limits on a step's outputs, because a step may print anything. An output over a limit becomes an
 * {@link OutputIssue}.
 */
export interface OutputLimits {
  /**
   * Bytes of a line, with its marks.
   *
   * @default 65536
   */
  readonly lineBytes: number;
  /**
   * Number of outputs.
   *
   * @default 1024
   */
  readonly count: number;
  /**
   * Bytes of all keys and values together.
   *
   * @default 1048576
   */
  readonly totalBytes: number;
}

const DEFAULT_LIMITS: OutputLimits = { lineBytes: 64 * 1024, count: 1024, totalBytes: 1024 * 1024 };
const PREFIX = new TextEncoder().encode("##wfe[output ");
const NEWLINE = 0x0a;
/** Names that could change an object's prototype in code that uses the outputs. */
const RESERVED = new Set(["__proto__", "constructor", "prototype"]);
/** No dots: in workflow data, dots separate a step's name from its outputs. */
const KEY = /^[A-Za-z_][A-Za-z0-9_-]{0,127}$/;
const isKey = (key: string): boolean => KEY.test(key) && !RESERVED.has(key);

/** Collects the outputs of one stream. */
export interface OutputParser {
  /** Takes the next bytes of standard output. They may be cut anywhere. */
  push(chunk: Uint8Array): void;
  /** Ends the stream. A last line without a newline counts. */
  end(): void;
  /** Values by key, in the order in which each was last set. */
  readonly outputs: Readonly<Record<string, string>>;
  /** Each issue once per key and reason; the first hundred of them. */
  readonly issues: readonly OutputIssue[];
}

/** Callbacks and limits of an output parser. */
export interface OutputParserOptions {
  /** Called each time an output is set. */
  readonly onOutput?: ((key: string, value: string) => void) | undefined;
  /** Called for each issue. */
  readonly onIssue?: ((issue: OutputIssue) => void) | undefined;
  /** Replaces some of the default limits. */
  readonly limits?: Partial<OutputLimits> | undefined;
}

/**
 * Finds lines `##wfe[output key=value]` in a stream of bytes.
 *
 * The mark must be at the start of a line. The last `]` ends the line; a carriage return after it is ignored.
 * A key is a letter or `_`, then letters, digits, `_` and `-`. The value is everything between the first `=`
 * and the last `]`. If a key is set again, the last value wins. A line that begins with the mark but has
 * another form is an issue. `limits` bounds the memory, however long a line is.
 *
 * @example
 * ```ts
 * const parser = createOutputParser();
 * parser.push(new TextEncoder().encode("##wfe[output version=1.2.3]\n"));
 * parser.end();
 * parser.outputs; // { version: "1.2.3" }
 * ```
 */
export function createOutputParser(options: OutputParserOptions = {}): OutputParser {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const outputs = Object.create(null) as Record<string, string>;
  const issues = createIssueLog(options.onIssue);
  /** The output key that each variable's value comes from. */
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
    // Once it cannot be a mark, the rest of the line need not be kept.
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
    const what = key === undefined ? "an output line" : `the line of output ${key}`;
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
    // Deleted first, so that the order is that of the last change.
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
      return { reason: "nul", message: "the value has a NUL byte; allowed: text without NUL bytes" };
    if (isNew && count >= limits.count)
      return {
        reason: "too-many",
        message: `the step has ${count} outputs already; allowed: up to ${limits.count}`,
      };
    if (totalBytes + grows > limits.totalBytes)
      return {
        reason: "too-large",
        message: `all outputs of the step together would have more than ${limits.totalBytes} bytes; allowed: up to ${limits.totalBytes} bytes`,
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
      message: `outputs ${other} and ${key} become the same variable; later steps get the value of ${key}, which was printed last`,
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
      // Look for marks, not for lines: a step may print hundreds of millions of lines.
      for (let mark = findMark(chunk, start); mark !== -1; mark = findMark(chunk, start)) {
        const end = chunk.indexOf(NEWLINE, mark);
        if (end === -1) return take(chunk.subarray(mark));
        take(chunk.subarray(mark, end));
        finishLine();
        start = end + 1;
      }
      // The rest has no mark, unless the next chunk completes one.
      take(chunk.subarray(Math.max(start, chunk.lastIndexOf(NEWLINE) + 1)));
    },
    end: finishLine,
    outputs,
    issues: issues.all,
  };
}

/** Returns the line up to its value. */
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

/** Returns where the next line that may be marked begins, or -1. `start` must be the start of a line. */
function findMark(chunk: Uint8Array, start: number): number {
  const [first = 0] = PREFIX;
  let at = chunk.indexOf(first, start);
  while (at > start && chunk[at - 1] !== NEWLINE) at = chunk.indexOf(first, at + 1);
  return at;
}
