import { UsageError } from "./failure.js";
import { printableLine, toJson } from "./printable.js";
import { formatAge, layOutTable, shortDigest, shortStepId } from "./table.js";
import { compileTemplate } from "./template/render.js";
import { widthMeter } from "./text-width.js";

/** A row: its JSON value. Its keys are the names of the columns. */
export type Row = Readonly<Record<string, unknown>>;

/** A column of a table. */
export interface Column {
  /** The key in the rows. */
  readonly name: string;
  /** Default: the name. It is printed in capitals. */
  readonly heading?: string;
  /** The text of a value in a row. Default: the value itself. */
  readonly show?: (value: never, row: Row) => string;
  /** Makes the text shorter on a terminal, unless `--no-trunc` is given. */
  readonly shorten?: (text: string) => string;
  /** Whether it keeps its width, if the terminal is narrow. Default `false`. */
  readonly isFixed?: boolean;
  /** Whether it gives way before other columns, if the terminal is narrow. Default `false`. */
  readonly isLoose?: boolean;
}

export interface PrintOptions {
  /** What `--format` says: `table`, `json`, the name of a column, or a template. */
  readonly format: string;
  /** Print everything in full, also where it does not fit. Default `false`. */
  readonly noTrunc?: boolean | undefined;
  /** The columns of the table. Others can still be named by `--format`. */
  readonly columns: readonly (string | Column)[];
  /** docker's names of columns, for templates. They are not in the JSON. */
  readonly aliases?: Readonly<Record<string, (row: Row) => unknown>>;
}

/** Prints rows in the form that `--format` asks for. */
export async function printRows(rows: readonly object[], options: PrintOptions): Promise<void> {
  for (const line of await formatRows(rows, options)) console.log(line);
}

/**
 * Returns the lines for rows in the form that `--format` asks for.
 *
 * @throws UsageError for a column that does not exist, or a template that is not valid.
 */
export async function formatRows(
  given: readonly object[],
  options: PrintOptions,
): Promise<readonly string[]> {
  const { format } = options;
  const rows = given as readonly Row[];
  if (format === "json") return [toJson(rows)];
  if (format === "table") return tableLines(rows, options);
  const named = rows.map((row) => withAliases(row, options));
  if (format.includes("{{")) return templateLines(format, named, options);
  return columnLines(format, named, options);
}

/** The form for templates: what JSON says, and docker's names. Columns without a value are empty. */
function withAliases(row: Row, { columns, aliases = {} }: PrintOptions): Row {
  const values = plain(row) as Row;
  const empty = columns.map((each) => [typeof each === "string" ? each : each.name, ""] as const);
  const others = Object.entries(aliases).map(([name, read]) => [name, read(row)] as const);
  const all = { ...Object.fromEntries([...others, ...empty]), ...values };
  // `{{json .}}` shows the row as `--format json` does.
  return Object.defineProperty(all, "toJSON", { value: () => values });
}

function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value)) as unknown;
}

async function tableLines(
  rows: readonly Row[],
  { columns, noTrunc }: PrintOptions,
): Promise<readonly string[]> {
  const all = columns.map((each) => (typeof each === "string" ? { name: each } : each));
  const width = widthFor({ noTrunc });
  const cell = (row: Row, { name, show, shorten }: Column): string => {
    const value = row[name];
    const text = value === undefined ? "" : (show ?? toCell)(value as never, row);
    return printableLine(width !== undefined && shorten !== undefined ? shorten(text) : text);
  };
  const lines = [
    all.map(({ name, heading = name }) => heading.toUpperCase()),
    ...rows.map((row) => all.map((column) => cell(row, column))),
  ];
  return layOutTable({
    lines,
    fixed: new Set(all.flatMap(({ isFixed = false }, at) => (isFixed ? [at] : []))),
    loose: new Set(all.flatMap(({ isLoose = false }, at) => (isLoose ? [at] : []))),
    width,
    widthOf: await widthMeter(lines.flat()),
  });
}

function toCell(value: unknown): string {
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** As in docker, `table ` before a template puts a heading above it. */
const TABLE = /^table\s+/;

async function templateLines(
  format: string,
  rows: readonly Row[],
  options: PrintOptions,
): Promise<readonly string[]> {
  // A shell passes on `\t` as two characters.
  const source = format.replace(TABLE, "").replaceAll("\\t", "\t").replaceAll("\\n", "\n");
  const fill = compileTemplate(source);
  const lines = rows.map(fill);
  if (!TABLE.test(format)) return lines;
  const names = [...Object.keys(options.aliases ?? {}), ...columnNames(rows, options)];
  const heading = Object.fromEntries(names.map((name) => [name, name.toUpperCase()]));
  const cells = [headingOf(fill, heading), ...lines].map((line) => line.split("\t"));
  return layOutTable({ lines: cells, width: widthFor(options), widthOf: await widthMeter(cells.flat()) });
}

/** A template that does more than print fields has no heading for them. */
function headingOf(fill: (data: unknown) => string, heading: Row): string {
  try {
    return fill(heading);
  } catch {
    return "";
  }
}

/** `id`, or several columns: `id,status`. */
function columnLines(format: string, rows: readonly Row[], options: PrintOptions): string[] {
  const known = columnNames(rows, options);
  const find = (name: string): string => {
    const found = known.find((each) => each.toLowerCase() === name.trim().toLowerCase());
    if (found !== undefined) return found;
    throw new UsageError(
      `--format: ${JSON.stringify(name.trim())} is not a column; allowed: table, json, ${known.join(", ")}, or a template such as '{{.${known[0] ?? "id"}}}'`,
    );
  };
  const names = format.split(",").map(find);
  return rows.map((row) => names.map((name) => printableLine(toCell(row[name] ?? ""))).join("\t"));
}

function columnNames(rows: readonly Row[], { columns, aliases = {} }: PrintOptions): string[] {
  const own = columns.map((each) => (typeof each === "string" ? each : each.name));
  const others = rows.flatMap((row) => Object.keys(row)).filter((key) => !Object.hasOwn(aliases, key));
  return [...new Set([...own, ...others])];
}

/** The characters that fit in a line. Undefined: any number. */
function widthFor({ noTrunc = false }: Pick<PrintOptions, "noTrunc">): number | undefined {
  const { isTTY, columns } = process.stdout;
  return isTTY && !noTrunc ? columns || 80 : undefined;
}

/** A column with a moment, as ISO text: on a terminal as its age. */
export function momentColumn(name: string): Column {
  return { name, shorten: (text) => (text === "" ? "" : formatAge(new Date(text), new Date())) };
}

/** A column with a digest: on a terminal its first digits. */
export function digestColumn(name: string): Column {
  return { name, shorten: shortDigest, isFixed: true };
}

/** The column with the id of a step: on a terminal its first digits. */
export const STEP_ID_COLUMN: Column = { name: "id", shorten: shortStepId, isFixed: true };
