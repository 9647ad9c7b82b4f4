import { runInThisContext } from "node:vm";
import fc from "fast-check";
import { anything, mutatedJson, mutatedText, PIECES } from "./mutation.js";

/** A parser, and what it is fed with. */
export interface FuzzTarget {
  readonly name: string;
  /** Inputs that it takes: most others are made from these. */
  readonly samples: readonly unknown[];
  /** Takes text when the samples are text, and anything at all when they are not. */
  parse(input: never): unknown;
}

export interface FuzzOptions {
  readonly inputs: number;
  /** Whether something thrown is the parser's documented way to refuse. */
  readonly isRefusal: (reason: unknown) => boolean;
  /** Default a time that nothing linear takes, on any machine. */
  readonly watchdogMs?: number | undefined;
}

/**
 * What is linear takes milliseconds for anything here, what is not takes hours: this tells them apart on any machine. It interrupts
 * even a regular expression, which a test's own time-out does not.
 */
const WATCHDOG_MS = 100_000;
const LONG = 512 * 1024;

/**
 * Feeds a parser with inputs, most of them nearly right. Fails on whatever is thrown that is not its own refusal, on a change to a
 * prototype that all objects share, and on results that hold functions or objects of some other prototype: looked up under a name that
 * the input gave.
 */
export function fuzz(
  { name, samples, parse }: FuzzTarget,
  { inputs, isRefusal, watchdogMs }: FuzzOptions,
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

/** Feeds a parser of text with half a mebibyte of one thing, in the midst of samples and at their end. */
export function feedLong(
  { name, samples, parse }: FuzzTarget,
  { isRefusal, watchdogMs }: Omit<FuzzOptions, "inputs">,
): void {
  for (const sample of samples.filter((each) => typeof each === "string").slice(0, 2)) {
    for (const piece of PIECES.filter((each) => each !== "")) {
      const long = piece.repeat(Math.ceil(LONG / piece.length));
      const half = Math.ceil(sample.length / 2);
      for (const text of [sample.slice(0, half) + long + sample.slice(half), `${sample}${long}\0`])
        watched(`${name} of a lot of ${JSON.stringify(piece.slice(0, 20))}`, watchdogMs, () =>
          check(() => parse(text as never), isRefusal),
        );
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

/** @throws what went wrong, as an error of the test. */
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
  // Not by expect(): results may have a million parts, for each of which that takes microseconds.
  if (typeof value === "function") throw new Error("the result holds a function");
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value) || depth > 8) return;
  if (value instanceof URL) return;
  if (!PLAIN.includes(Object.getPrototypeOf(value))) throw new Error("the result holds an object of a class");
  const parts = value instanceof Map || value instanceof Set ? [...value] : Object.values(value);
  for (const part of parts) expectPlain(part, depth + 1);
}
