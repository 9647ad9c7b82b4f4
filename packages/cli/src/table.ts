/** A table's text, laid out. */
export interface Layout {
  /** The first line is the heading. */
  readonly lines: readonly (readonly string[])[];
  /** Columns that keep their width as long as others can give way, by index. */
  readonly fixed?: ReadonlySet<number>;
  /** The characters that fit in a line. Undefined: any number. */
  readonly width?: number | undefined;
  /** The columns that a text takes on a terminal. */
  readonly widthOf: (text: string) => number;
}

const GAP = "   ";
/** A narrower column tells nothing. */
const MIN_WIDTH = 6;

/**
 * Lays out a table: each column as wide as its widest cell on a terminal. If the lines are too long, the
 * widest columns are made narrower, and cells that do not fit end with `…`.
 */
export function layOutTable({ lines, fixed = new Set(), width, widthOf }: Layout): string[] {
  const count = Math.max(0, ...lines.map((cells) => cells.length));
  const widths = Array.from({ length: count }, (_, column) =>
    Math.max(...lines.map((cells) => widthOf(cells[column] ?? ""))),
  );
  if (width !== undefined) narrow(widths, width - GAP.length * (count - 1), fixed);
  return lines.map((cells) =>
    cells
      .map((cell, column) => {
        const text = cut(cell, widths[column] ?? 0, widthOf);
        return text + " ".repeat(Math.max((widths[column] ?? 0) - widthOf(text), 0));
      })
      .join(GAP)
      .trimEnd(),
  );
}

/** Makes the widest column narrower by one, until all fit: first of those that are not fixed. */
function narrow(widths: number[], room: number, fixed: ReadonlySet<number>): void {
  let over = widths.reduce((sum, each) => sum + each, 0) - room;
  for (const isFixedToo of [false, true])
    while (over > 0) {
      const candidates = widths
        .map((each, column) => ({ each, column }))
        .filter(({ each, column }) => each > MIN_WIDTH && (isFixedToo || !fixed.has(column)));
      if (candidates.length === 0) break;
      const widest = candidates.reduce((a, b) => (b.each > a.each ? b : a));
      widths[widest.column] = widest.each - 1;
      over--;
    }
}

/** Cuts a text to a width, with `…` for what is left out. */
function cut(text: string, width: number, widthOf: (text: string) => number): string {
  if (widthOf(text) <= width) return text;
  let kept = "";
  for (const sign of text) {
    if (widthOf(kept + sign) > width - 1) break;
    kept += sign;
  }
  return `${kept}…`;
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

const AGES: readonly (readonly [string, number])[] = [
  ["year", 365 * 86_400],
  ["month", 30 * 86_400],
  ["week", 7 * 86_400],
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
];

/** Formats the time since a moment as docker does: `3 minutes ago`. */
export function formatAge(moment: Date, now: Date): string {
  const seconds = Math.floor((now.getTime() - moment.getTime()) / 1000);
  // The daemon's clock may be a little ahead of ours.
  if (Number.isNaN(seconds) || seconds < 1) return "just now";
  const [unit, size] = AGES.find(([, each]) => seconds >= each) ?? ["second", 1];
  const count = Math.floor(seconds / size);
  return `${count} ${unit}${count === 1 ? "" : "s"} ago`;
}

/** Shortens a digest to 12 digits, as docker does: enough to tell images apart. */
export function shortDigest(digest: string): string {
  return digest.replace(/^(sha\d+):([0-9a-f]{12})[0-9a-f]*$/, "$1:$2");
}
