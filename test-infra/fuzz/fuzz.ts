import { runInThisContext } from "node:vm";
import fc from "fast-check";
import { anything, mutatedJson, mutatedText, PIECES } from "./mutation.js";

/**
 * How many random inputs each property test makes. They differ from run to run, so that many short runs find
 * what one long run finds. `WFE_FUZZ_RUNS=20000` makes a long one.
 */
export const FUZZ_RUNS = Number(process.env["WFE_FUZZ_RUNS"] ?? 200);

/** A parser, and samples of its input. */
export interface FuzzTarget {
  readonly name: string;
  /** Valid inputs. Most other inputs are made from them. */
  readonly samples: readonly unknown[];
  /** Gets only text if all samples are text, else any value. */
  parse(input: never): unknown;
}

export interface FuzzOptions {
  /** @default FUZZ_RUNS */
  readonly inputs?: number | undefined;
  /** Whether an error is the parser's documented way to refuse an input. */
  readonly isRefusal: (reason: unknown) => boolean;
  /** Time limit in milliseconds: of all inputs of `fuzz`, or of two inputs of `feedLong`. @default 100000 */
  readonly watchdogMs?: number | undefined;
}

/**
 * A linear parser needs milliseconds for these inputs, any other needs hours. So this limit tells them apart
 * on any machine. Unlike a test's own time-out, it also interrupts a regular expression.
 */
const WATCHDOG_MS = 100_000;
const LONG = 512 * 1024;

/**
 * Gives a parser many inputs, most of them nearly valid. Fails when the parser throws anything but its own
 * refusal, changes a prototype that all objects share, or returns functions or objects of another prototype.
 * The latter happens when the parser looks up a name from the input in a plain object.
 */
export function fuzz(
  { name, samples, parse }: FuzzTarget,
  { inputs = FUZZ_RUNS, isRefusal, watchdogMs }: FuzzOptions,
): void {
  const texts = samples.filter((sample) => typeof sample === "string");
  const input =
    texts.length === samples.length
      ? fc.oneof({ weight: 1, arbitrary: fc.string() }, { weight: 4, arbitrary: mutatedText(texts) })
      : fc.oneof({ weight: 1, arbitrary: anything }, { weight: 4, arbitrary: mutatedJson(samples) });
  for (const sample of samples) parse(sample as never);
  watched(name, watchdogMs, () =>
    fc.assert(
      fc.property(input, (given) => check(() => parse(given as never), isRefusal)),
      { numRuns: inputs },
    ),
  );
}

/**
 * Gives a parser of text half a mebibyte of one repeated piece, in the middle of samples and at their end.
 */
export function feedLong({ name, samples, parse }: FuzzTarget, { isRefusal, watchdogMs }: FuzzOptions): void {
  for (const sample of samples.filter((each) => typeof each === "string").slice(0, 2)) {
    for (const piece of PIECES.filter((each) => each !== "")) {
      const long = piece.repeat(Math.ceil(LONG / piece.length));
      const half = Math.ceil(sample.length / 2);
      // One watchdog for both: each is a thread, which takes as long as some of the parsers.
      watched(`${name} of a lot of ${JSON.stringify(piece.slice(0, 20))}`, watchdogMs, () => {
        for (const text of [sample.slice(0, half) + long + sample.slice(half), `${sample}${long}\0`])
          check(() => parse(text as never), isRefusal);
      });
    }
  }
}

function watched(what: string, watchdogMs = WATCHDOG_MS, run: () => void): void {
  const place = globalThis as { runWatched?: (() => void) | undefined };
  place.runWatched = run;
  try {
    runInThisContext("runWatched()", { timeout: watchdogMs });
  } catch (reason) {
    const isHang = (reason as { code?: unknown } | undefined)?.code === "ERR_SCRIPT_EXECUTION_TIMEOUT";
    if (isHang) throw new Error(`${what} does not come to an end`, { cause: reason });
    throw reason;
  } finally {
    place.runWatched = undefined;
  }
}

const SHARED = [
  Object.prototype,
  Array.prototype,
  Function.prototype,
  String.prototype,
  Map.prototype,
] as const;
const UNTOUCHED = SHARED.map(snapshot);

function snapshot(prototype: object): string {
  return Reflect.ownKeys(prototype).map(String).join();
}

/**
 * Runs a parser once.
 *
 * @throws an error that is not its refusal, or an error about what it changed or returned.
 */
export function check(run: () => unknown, isRefusal: (reason: unknown) => boolean): void {
  try {
    expectPlain(run());
  } catch (reason) {
    if (!isRefusal(reason)) throw reason;
  }
  for (const [at, prototype] of SHARED.entries()) {
    if (snapshot(prototype) !== UNTOUCHED[at])
      throw new Error("a prototype that all objects share was changed");
  }
}

const PLAIN: readonly unknown[] = [Object.prototype, Array.prototype, Map.prototype, Set.prototype, null];

function expectPlain(value: unknown, depth = 0): void {
  // Not with expect(), which takes microseconds a call: results may have a million parts.
  if (typeof value === "function") throw new Error("the result holds a function");
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value) || depth > 8) return;
  if (value instanceof URL) return;
  if (!PLAIN.includes(Object.getPrototypeOf(value))) throw new Error("the result holds an object of a class");
  const parts = value instanceof Map || value instanceof Set ? [...value] : Object.values(value);
  for (const part of parts) expectPlain(part, depth + 1);
}
