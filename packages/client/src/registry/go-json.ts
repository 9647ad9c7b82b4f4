/**
 * Reads JSON as Go's `json.NewDecoder(...).Decode(&struct)` does, because docker and its credential helpers read their files
 * and answers in this way: the first value counts, and an empty text or `null` leaves everything unset.
 *
 * @returns the fields; undefined where the text is not a JSON object.
 */
export function parseGoStruct(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = text.trim() === "" ? null : JSON.parse(firstValue(text));
    return value === null ? {} : asObject(value);
  } catch {
    // JSON.parse's message quotes the text, which may hold a secret.
    return undefined;
  }
}

/** A field of a Go struct: its name in any case, the last one counts, and `null` is the same as no field. */
export function goField(struct: Readonly<Record<string, unknown>>, name: string): unknown {
  const key = goFieldName(struct, name);
  return struct[key] ?? undefined;
}

/** The key under which an object has a field of a Go struct; `name` itself where it has none. */
export function goFieldName(struct: Readonly<Record<string, unknown>>, name: string): string {
  const isSame = (key: string): boolean => key.toLowerCase() === name.toLowerCase() && struct[key] !== null;
  return Object.keys(struct).findLast(isSame) ?? name;
}

/** Undefined for what is not a JSON object. */
export function asObject(value: unknown): Readonly<Record<string, unknown>> | undefined {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return isObject ? (value as Readonly<Record<string, unknown>>) : undefined;
}

/** An object up to its closing brace: Go's decoder does not look at what follows. */
function firstValue(text: string): string {
  let depth = 0;
  for (const match of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}]/gs)) {
    if (match[0] === "{") depth++;
    if (match[0] === "}" && --depth === 0) return text.slice(0, match.index + 1);
  }
  return text;
}
