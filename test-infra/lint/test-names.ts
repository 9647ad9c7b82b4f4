import { readFile } from "node:fs/promises";
import { sourceFiles } from "./sources.js";

/** Matches the name of a test or of a group. Skipped tests do not match. A name may contain several rows. */
const NAME =
  /(?:\b(?:test|it|describe)(?:\.(?!skip\(|todo\b)\w+)*(?:<[^()]*>)?\(|(?:\]|\bas const|\b[A-Z]+)\)\(|^\s*\[)\s*(["'`])((?:\\.|(?!\1)[^\\])*)/gm;

/**
 * Finds the rows of a table that tests show.
 *
 * @param prefix what stands before a row's number in the names of tests: `bad input ` for `bad input 7`.
 */
export async function rowsTested(prefix: string): Promise<Set<number>> {
  const rows = new Set<number>();
  for (const file of await sourceFiles("packages/*.test.ts")) {
    for (const number of rowsNamed(prefix, await readFile(file, "utf8"))) rows.add(number);
  }
  return rows;
}

export function rowsNamed(prefix: string, source: string): number[] {
  const numbers = new RegExp(String.raw`\b${prefix}(\d+)\b`, "g");
  return [...source.matchAll(NAME)].flatMap(([, , name = ""]) =>
    [...name.matchAll(numbers)].map(([, number]) => Number(number)),
  );
}
