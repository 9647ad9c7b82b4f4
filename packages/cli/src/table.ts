/** A table's text, laid out. */
export interface Layout {
  /** The first line is the heading. */
  readonly lines: readonly (readonly string[])[];
  /** Columns that keep their width, by index. */
  readonly fixed?: ReadonlySet<number>;
  /** Columns that give way before the others, by index. */
  readonly loose?: ReadonlySet<number>;
  /** The characters that fit in a line. Undefined: any number. */
  readonly width?: number | undefined;
  /** The columns that a text takes on a terminal. */
  readonly widthOf: (text: string) => number;
}

const GAP = "   ";
const NARROW_GAP = "  ";
/** A narrower column tells nothing. */
const MIN_WIDTH = 6;

/**
 * Lays out a table: each column as wide as its widest cell on a terminal. If the lines are too long, the
 * widest columns are made narrower, and cells that do not fit end with `…`. Where the terminal is too narrow
 * for a table, each row is a block of lines, with the heading before each cell.
 */
export function layOutTable({
  lines,
  fixed = new Set(),
  loose = new Set(),
  width,
  widthOf,
}: Layout): string[] {
  const count = Math.max(0, ...lines.map((cells) => cells.length));
  const widths = Array.from({ length: count }, (_, column) =>
    Math.max(...lines.map((cells) => widthOf(cells[column] ?? ""))),
  );
  const over = (gap: string): number =>
    width === undefined ? 0 : sum(widths) + gap.length * (count - 1) - width;
  let gap = GAP;
  if (over(GAP) > 0) {
    gap = NARROW_GAP;
    const normal = [...widths.keys()].filter((column) => !fixed.has(column) && !loose.has(column));
    for (const columns of [[...loose], normal]) narrow(widths, over(gap), columns);
    if (over(gap) > 0 && lines.length > 1) return layOutBlocks({ lines, width, widthOf });
  }
  return lines.map((cells) =>
    cells
      .map((cell, column) => {
        const text = cut(cell, widths[column] ?? 0, widthOf);
        return text + " ".repeat(Math.max((widths[column] ?? 0) - widthOf(text), 0));
      })
      .join(gap)
      .trimEnd(),
  );
}

/** Makes the widest of some columns narrower by one, until all columns fit. */
function narrow(widths: number[], over: number, columns: readonly number[]): void {
  for (let rest = over; rest > 0; rest--) {
    const candidates = columns.filter((column) => (widths[column] ?? 0) > MIN_WIDTH);
    if (candidates.length === 0) return;
    const widest = candidates.reduce((a, b) => ((widths[b] ?? 0) > (widths[a] ?? 0) ? b : a));
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
}

function layOutBlocks({ lines: [headings = [], ...rows], width = 0, widthOf }: Layout): string[] {
  const room = Math.max(...headings.map(widthOf));
  const value = Math.max(width - room - NARROW_GAP.length, MIN_WIDTH);
  return rows.flatMap((cells, row) => [
    ...(row === 0 ? [] : [""]),
    ...cells.map((cell, column) => {
      const heading = headings[column] ?? "";
      const left = heading + " ".repeat(room - widthOf(heading));
      return `${left}${NARROW_GAP}${cut(cell, value, widthOf)}`.trimEnd();
    }),
  ]);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
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

/** Shortens the id of a step to 12 digits, as docker does with its ids. A step is found by these, too. */
export function shortStepId(id: string): string {
  return id.replace(/^(wfe-[0-9a-f]{12})[0-9a-f]{8}$/, "$1");
}
