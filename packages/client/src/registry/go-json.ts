/**
 * Reads JSON as Go's `json.NewDecoder(...).Decode(&struct)` does, because docker and its credential helpers
 * do so: only the first value is read, and an empty text or `null` leaves all fields unset.
 *
 * @returns the fields; undefined if the text is not a JSON object.
 */
export function parseGoStruct(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = text.trim() === "" ? null : JSON.parse(firstValue(text));
    return value === null ? {} : asObject(value);
  } catch {
    // The error of JSON.parse quotes the text, which may contain a secret.
    return undefined;
  }
}

/**
 * Returns a field as Go does: the case of the name does not matter, the last match wins, and `null` counts as
 * missing.
 */
export function goField(struct: Readonly<Record<string, unknown>>, name: string): unknown {
  const key = goFieldName(struct, name);
  return struct[key] ?? undefined;
}

/** The key of an object that matches a field of a Go struct; `name` itself if there is no match. */
export function goFieldName(struct: Readonly<Record<string, unknown>>, name: string): string {
  const isSame = (key: string): boolean => key.toLowerCase() === name.toLowerCase() && struct[key] !== null;
  return Object.keys(struct).findLast(isSame) ?? name;
}

/** Returns undefined if the value is not a JSON object. */
export function asObject(value: unknown): Readonly<Record<string, unknown>> | undefined {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return isObject ? (value as Readonly<Record<string, unknown>>) : undefined;
}

/** Cuts the text after the object's closing brace. Go's decoder ignores what follows. */
function firstValue(text: string): string {
  let depth = 0;
  for (const match of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}]/gs)) {
    if (match[0] === "{") depth++;
    if (match[0] === "}" && --depth === 0) return text.slice(0, match.index + 1);
  }
  return text;
}
