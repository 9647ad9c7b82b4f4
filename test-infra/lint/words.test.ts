import { readFile } from "node:fs/promises";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { sourceFiles } from "./sources.js";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Turns that a reader has to read twice. CONTRIBUTING.md tells how to write instead. */
const RIDDLES =
  /\b(?:that is none|is none\b(?! of)|are none\b|said so\b|of whom\b|whatever it likes|as people write it)/;
const LONGEST_COMMENT = 110;

/** Complaints about the comments of a source file. */
function problemsIn(text: string): string[] {
  return text.split("\n").flatMap((line, at) => {
    if (!/^\s*(?:\/\/|\/?\*)/.test(line)) return [];
    const riddle = RIDDLES.exec(line)?.[0];
    return [
      ...(line.length > LONGEST_COMMENT ? [`line ${at + 1} has ${line.length} columns`] : []),
      ...(riddle === undefined ? [] : [`line ${at + 1} says "${riddle}"`]),
    ];
  });
}

test("a long line and a riddle are found, and only in comments", () => {
  expect(problemsIn(`// ${"x".repeat(LONGEST_COMMENT)}`)).toEqual(["line 1 has 113 columns"]);
  expect(problemsIn("code();\n  * A port that is none.")).toEqual(['line 2 says "that is none"']);
  expect(problemsIn('const text = "that is none";\n// None of these.')).toEqual([]);
});

test("comments are in plain words, and fit the screen", async () => {
  const files = await sourceFiles("*.ts", "*.mts", "*.mjs");
  const found = [];
  for (const file of files) {
    const problems = problemsIn(await readFile(file, "utf8"));
    found.push(...problems.map((problem) => `${relative(ROOT, file)}: ${problem}`));
  }
  expect(files.length).toBeGreaterThan(300);
  expect(found).toEqual([]);
});
