import { readFile } from "node:fs/promises";
import { sourceFiles } from "./sources.js";

/** Matches the name of a test or of a group. Skipped tests do not match. A name may contain several rows. */
const NAME =
  /(?:\b(?:test|it|describe)(?:\.(?!skip\(|todo\b)\w+)*(?:<[^()]*>)?\(|\]\)\(\s*|^\s*\[)\s*["'`]([^"'`]*)/gm;

/**
 * Finds the rows of a table that tests show.
 *
 * @param row what a row is called in the names of tests: `bad input` for `bad input 7`.
 */
export async function rowsTested(row: string): Promise<Set<number>> {
  const rows = new Set<number>();
  for (const file of await sourceFiles("packages/*.test.ts")) {
    for (const number of rowsNamed(row, await readFile(file, "utf8"))) rows.add(number);
  }
  return rows;
}

export function rowsNamed(row: string, source: string): number[] {
  const numbers = new RegExp(String.raw`\b${row} (\d+)\b`, "g");
  return [...source.matchAll(NAME)].flatMap(([, name = ""]) =>
    [...name.matchAll(numbers)].map(([, number]) => Number(number)),
  );
}
