const UNITS_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
type Unit = keyof typeof UNITS_MS;
/** The search for numbers takes quadratic time. No honest duration is longer. */
const MAX_LENGTH = 100;

export const DURATION_FORMAT =
  "a number with ms, s, m, h or d, or several of them from large to small: 30s, 1h30m";

/** For JSON Schema. It also accepts units in the wrong order. */
export const DURATION_PATTERN = /^(\d+(\.\d+)?(ms|s|m|h|d))+$/;

/**
 * Reads a duration in milliseconds. Undefined for anything else, including a number without a unit.
 *
 * @example
 * ```ts
 * parseDuration("1h30m"); // 5400000
 * parseDuration("500ms"); // 500
 * parseDuration("30"); // undefined
 * ```
 */
export function parseDuration(text: string): number | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join("") !== text) return undefined;
  let total = 0;
  let last = Number.POSITIVE_INFINITY;
  for (const [, number, unit] of parts) {
    const unitMs = UNITS_MS[unit as Unit];
    if (unitMs >= last) return undefined;
    last = unitMs;
    total += Number(number) * unitMs;
  }
  total = Math.round(total);
  return Number.isSafeInteger(total) ? total : undefined;
}

/** Returns the shortest text that {@link parseDuration} reads back as the same duration. */
export function formatDuration(durationMs: number): string {
  let left = durationMs;
  let text = "";
  for (const unit of ["d", "h", "m", "s", "ms"] as const) {
    const count = Math.floor(left / UNITS_MS[unit]);
    left -= count * UNITS_MS[unit];
    if (count > 0) text += `${count}${unit}`;
  }
  return text === "" ? "0ms" : text;
}
