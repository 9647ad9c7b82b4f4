import { UsageError } from "../failure.js";
import { toJsonLine } from "../printable.js";
import { isTrue, lookUp, toText } from "./values.js";

type TemplateFunction = (...values: readonly unknown[]) => unknown;

/** The functions of a template: those of Go's templates and of docker that are in use. */
export const FUNCTIONS: Readonly<Record<string, TemplateFunction>> = {
  and: (...values) => values.find((value) => !isTrue(value)) ?? values.at(-1),
  or: (...values) => values.find(isTrue) ?? values.at(-1),
  not: (value) => !isTrue(value),
  eq: (first, ...others) => others.some((other) => first === other),
  ne: (a, b) => a !== b,
  lt: (a, b) => compare(a, b) < 0,
  le: (a, b) => compare(a, b) <= 0,
  gt: (a, b) => compare(a, b) > 0,
  ge: (a, b) => compare(a, b) >= 0,
  len: (value) => sizeOf(value),
  index: (value, ...keys) => keys.reduce((from, key) => at(from, key), value),
  json: (value) => toJsonLine(value ?? null),
  join: (list, separator = "") => listOf("join", list).map(toText).join(toText(separator)),
  split: (text, separator = "") => toText(text).split(toText(separator)),
  lower: (text) => toText(text).toLowerCase(),
  upper: (text) => toText(text).toUpperCase(),
  title: (text) => toText(text).replace(/\b\p{L}/gu, (letter) => letter.toUpperCase()),
  pad: (text, before, after) => blanks(before) + toText(text) + blanks(after),
  truncate: (text, length) => toText(text).slice(0, Math.max(Number(length), 0)),
  print: (...values) => values.map(toText).join(""),
  println: (...values) => `${values.map(toText).join(" ")}\n`,
  printf: (form, ...values) => format(toText(form), values),
};

/** As `index` in Go: an element of a list, or the value of a key; empty if it is not there. */
function at(from: unknown, key: unknown): unknown {
  if (Array.isArray(from)) {
    if (typeof key === "number" && key >= 0 && key < from.length) return from[key];
    throw new UsageError(
      `--format: index: the list has no element ${toText(key)}; allowed: 0 to ${from.length - 1}`,
    );
  }
  if (from === null || from === undefined) return "";
  return lookUp(from, toText(key)) ?? "";
}

function sizeOf(value: unknown): number {
  if (typeof value === "string" || Array.isArray(value)) return value.length;
  if (typeof value === "object" && value !== null) return Object.keys(value).length;
  if (value === null || value === undefined) return 0;
  throw new UsageError("--format: len: the value has no length; allowed: a text, a list, a map");
}

function compare(a: unknown, b: unknown): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  const [first, second] = [toText(a), toText(b)];
  return first < second ? -1 : first > second ? 1 : 0;
}

function listOf(name: string, value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  if (value === null || value === undefined) return [];
  throw new UsageError(`--format: ${name}: the value is not a list; allowed: a list such as .Config.Env`);
}

/** The widest padding that is written. */
const MAX_BLANKS = 1000;

function blanks(count: unknown): string {
  return " ".repeat(Math.min(Math.max(Math.trunc(Number(count)) || 0, 0), MAX_BLANKS));
}

/** Go's `%s`, `%v`, `%d`, `%q` and `%%`, with a width. */
function format(form: string, values: readonly unknown[]): string {
  const rest = [...values];
  return form.replace(/%(-?)(\d{0,3})([svdq%])/g, (_, left: string, width: string, verb: string) => {
    if (verb === "%") return "%";
    const value = rest.shift();
    const text = verb === "q" ? JSON.stringify(toText(value)) : toText(value);
    return left === "" ? text.padStart(Number(width)) : text.padEnd(Number(width));
  });
}
