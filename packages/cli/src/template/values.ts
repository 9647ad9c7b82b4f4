import { UsageError } from "../failure.js";

/** Whether a value counts as true in a condition: not empty, as in Go. */
export function isTrue(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (typeof value === "object" && value !== null) return Object.keys(value).length > 0;
  return Boolean(value);
}

/** Writes a value as Go's templates print it: a list as `[a b]`, a map as `map[a:1 b:2]`. */
export function toText(value: unknown): string {
  if (value === undefined || value === null) return "<no value>";
  if (Array.isArray(value)) return `[${value.map(toText).join(" ")}]`;
  if (typeof value !== "object") return String(value);
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `map[${entries.map(([key, each]) => `${key}:${toText(each)}`).join(" ")}]`;
}

/** Reads a field, by its own spelling, or else whatever its case: docker writes `.State.Pid`. */
export function lookUp(from: unknown, name: string): unknown {
  if (typeof from !== "object" || from === null || Array.isArray(from)) return undefined;
  const fields = from as Readonly<Record<string, unknown>>;
  const key = Object.hasOwn(fields, name)
    ? name
    : Object.keys(fields).find((each) => each.toLowerCase() === name.toLowerCase());
  return key === undefined ? undefined : fields[key];
}

/**
 * Reads a field that has to exist.
 *
 * @throws UsageError that lists the fields that exist.
 */
export function fieldOf(from: unknown, name: string): unknown {
  const value = lookUp(from, name);
  if (value !== undefined) return value;
  if (typeof from !== "object" || from === null || Array.isArray(from))
    throw new UsageError(
      `--format: .${name}: the value ${toText(from)} has no fields; allowed: for a list, range or index`,
    );
  const names = Object.keys(from).map((key) => `.${key}`);
  throw new UsageError(
    `--format: .${name}: the value has no field of that name; allowed: ${names.join(", ") || "none, it is empty"}; for a key that may be missing: index`,
  );
}
