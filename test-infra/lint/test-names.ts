import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PLACES = ["packages/client", "packages/executor", "packages/cli"];
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
  for (const place of PLACES) {
    const names = await readdir(join(ROOT, place), { recursive: true });
    for (const name of names.filter((each) => each.endsWith(".test.ts") && !each.includes("node_modules"))) {
      for (const number of rowsNamed(row, await readFile(join(ROOT, place, name), "utf8"))) rows.add(number);
    }
  }
  return rows;
}

export function rowsNamed(row: string, source: string): number[] {
  const numbers = new RegExp(String.raw`\b${row} (\d+)\b`, "g");
  return [...source.matchAll(NAME)].flatMap(([, name = ""]) =>
    [...name.matchAll(numbers)].map(([, number]) => Number(number)),
  );
}
