import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "..");

// The examples themselves are run: what the README shows of one must be it.
test("the README's code is that of the files it names", async () => {
  const readme = await readFile(join(ROOT, "README.md"), "utf8");
  const blocks = [...readme.matchAll(/```ts file=(\S+)\n([\s\S]*?)```/g)];
  expect(blocks.length).toBeGreaterThan(0);
  for (const [, file, code] of blocks) expect(code).toBe(await readFile(join(ROOT, file as string), "utf8"));
});
