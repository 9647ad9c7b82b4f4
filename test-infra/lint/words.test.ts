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
/** The same for what a program prints: an error, a help text, a warning. */
const RIDDLES_IN_TEXTS =
  /(?<!\bthere )\b(?:is|are) no (?!longer\b|more\b)[a-z]+|\bthere (?:is|are) (?:no such|none)\b|\b(?:is|are|has|have) none\b(?! of)|\bwhoever\b|\btakes? orders\b|\bas it must be\b|\b(?:come|comes) along\b/;

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

/** Complaints about the texts of a source file: the string literals outside of its comments. */
function problemsInTexts(code: string): string[] {
  return code.split("\n").flatMap((line, at) => {
    if (/^\s*(?:\/\/|\/?\*)/.test(line)) return [];
    return [...line.matchAll(/(["'`])((?:\\.|(?!\1)[^\\])*)\1/g)].flatMap(([, , text = ""]) => {
      const riddle = RIDDLES_IN_TEXTS.exec(text)?.[0];
      return riddle === undefined ? [] : [`line ${at + 1} says "${riddle.trim()}"`];
    });
  });
}

test("a long line and a riddle are found, and only in comments", () => {
  expect(problemsIn(`// ${"x".repeat(LONGEST_COMMENT)}`)).toEqual(["line 1 has 113 columns"]);
  expect(problemsIn("code();\n  * A port that is none.")).toEqual(['line 2 says "that is none"']);
  expect(problemsIn('const text = "that is none";\n// None of these.')).toEqual([]);
});

test("a riddle is found in a text, and only there", () => {
  expect(problemsInTexts('refuse("memory", "the archive has none");\nreturn `${x} is no type`;')).toEqual([
    'line 1 says "has none"',
    'line 2 says "is no type"',
  ]);
  expect(problemsInTexts('refuse("the names: there are none");')).toEqual(['line 1 says "there are none"']);
  expect(problemsInTexts('// "is none"\nconst text = "is no longer there, and has no colon";')).toEqual([]);
});

test("texts for people are in plain words", async () => {
  const files = (await sourceFiles("packages/*/src/**/*.ts")).filter((file) => !file.endsWith(".test.ts"));
  const found = [];
  for (const file of files) {
    const problems = problemsInTexts(await readFile(file, "utf8"));
    found.push(...problems.map((problem) => `${relative(ROOT, file)}: ${problem}`));
  }
  expect(files.length).toBeGreaterThan(200);
  expect(found).toEqual([]);
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
