const EXPONENTS = { b: 0, k: 1, m: 2, g: 3, t: 4 } as const;

export const SIZE_FORMAT = "bytes, or a number with k, m, g or t (1024 each): 512m, 1.5g";

/** For JSON Schema, whose patterns cannot ignore case. */
export const SIZE_PATTERN = /^\d+(\.\d+)?\s?([bBkKmMgGtT]|[kKmMgGtT][iI]?[bB])?$/;

/**
 * Reads a size in bytes, as docker does: every unit is a power of 1024. Undefined for anything else.
 *
 * @example
 * ```ts
 * parseSize("512m"); // 536870912
 * parseSize("64KiB"); // 65536
 * parseSize("1024"); // 1024
 * ```
 */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s?(?:([bkmgt])|([kmgt])i?b)?$/i.exec(text);
  if (match === null) return undefined;
  const unit = (match[2] ?? match[3] ?? "b").toLowerCase() as keyof typeof EXPONENTS;
  const bytes = Math.round(Number(match[1]) * 1024 ** EXPONENTS[unit]);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}
