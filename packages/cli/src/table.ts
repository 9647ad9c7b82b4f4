import { printableLine, toJson } from "./printable.js";

/** Prints rows as a table, each column as wide as its widest cell on a terminal; or all rows as JSON. */
export async function printRows(
  format: "table" | "json",
  rows: readonly Readonly<Record<string, string | number>>[],
  headings: readonly string[],
): Promise<void> {
  if (format === "json") {
    console.log(toJson(rows));
    return;
  }
  const lines = [
    headings.map((heading) => heading.toUpperCase()),
    ...rows.map((row) => headings.map((heading) => printableLine(String(row[heading] ?? "")))),
  ];
  // Most commands print no table, so they do not load this.
  const { default: widthOf } = await import("string-width");
  const widths = headings.map((_, column) => Math.max(...lines.map((line) => widthOf(line[column] ?? ""))));
  for (const line of lines)
    console.log(
      line
        .map((cell, column) => cell + " ".repeat((widths[column] ?? 0) - widthOf(cell)))
        .join("   ")
        .trimEnd(),
    );
}

/** Formats a number of bytes: `12.3 MiB`. */
export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}
