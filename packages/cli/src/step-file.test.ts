import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readStepFile } from "./step-file.js";

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "test-step-file-"));
});
afterAll(() => rm(directory, { recursive: true }));

async function read(contents: string): Promise<unknown> {
  const file = join(directory, "step.yaml");
  await writeFile(file, contents);
  return readStepFile(file);
}

test("a file of many keys is read in the time that its length takes", async () => {
  const labels = Object.fromEntries(Array.from({ length: 40_000 }, (_, at) => [`k${at}`, "v"]));
  const step = { name: "a", image: "b", labels };
  expect(await read(JSON.stringify(step))).toEqual([step]);
});

test.each([
  "a: 1\nb: 2\na: 3",
  "{a: 1, b: 2, a: 3}",
  'a: 1\n"a": 2',
  "steps: [{a: 1, b: {c: 1, c: 2}}]",
  '1: x\n"1": y',
])("a key that is given twice is refused: %j", async (contents) => {
  await expect(read(contents)).rejects.toThrow(/is given twice, the second time in line \d/);
});

test("a file has a mebibyte at most", async () => {
  await expect(read(`# ${"x".repeat(1024 * 1024)}`)).rejects.toThrow(
    "step.yaml: has more than 1 MiB; allowed: up to 1048576 bytes",
  );
  await expect(readStepFile("/dev/zero")).rejects.toThrow("/dev/zero: has more than 1 MiB");
});

test("a file that is not there, and a directory, are said", async () => {
  await expect(readStepFile(join(directory, "none"))).rejects.toThrow(/cannot read .*none: ENOENT/);
  await expect(readStepFile(directory)).rejects.toThrow(/: EISDIR/);
});
