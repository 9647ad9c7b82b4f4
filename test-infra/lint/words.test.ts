import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

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
  const run = promisify(execFile);
  const { stdout } = await run("git", ["ls-files", "*.ts", "*.mts", "*.mjs"], { cwd: ROOT });
  const files = stdout.split("\n").filter((file) => file !== "" && !file.includes("/gen/"));
  const found = [];
  for (const file of files) {
    const problems = problemsIn(await readFile(join(ROOT, file), "utf8"));
    found.push(...problems.map((problem) => `${file}: ${problem}`));
  }
  expect(files.length).toBeGreaterThan(300);
  expect(found).toEqual([]);
});
