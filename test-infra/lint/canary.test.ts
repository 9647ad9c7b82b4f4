import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { CANARY, findCanaries } from "../../scripts/canary.mjs";
import { runVitest } from "../../scripts/report.mjs";

test.each([
  ["as it is", (text: string) => text],
  ["in base64", (text: string) => Buffer.from(text).toString("base64")],
  ["in base64 for URLs", (text: string) => Buffer.from(text).toString("base64url")],
  ["in hexadecimal digits", (text: string) => Buffer.from(text).toString("hex")],
])("a secret is found %s, whatever is around it", (_, encode) => {
  const other = fc.string({ unit: fc.constantFrom(..."abc:=/ 09") });
  fc.assert(
    fc.property(other, other, (before, after) => {
      expect(findCanaries(`log: ${encode(`${before}${CANARY}-password${after}`)} end`)).not.toEqual([]);
    }),
  );
});

test("what holds no secret is passed", () => {
  fc.assert(fc.property(fc.string(), (text) => void expect(findCanaries(text)).toEqual([])));
});

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "canary-"));
});
afterEach(() => rm(directory, { recursive: true }));

interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly failures: readonly string[];
  readonly said: string;
}

/** Runs a test with this body. @returns the result as npm test would count it. */
async function tallyOf(body: string): Promise<Tally> {
  // The test puts the secret together only when it prints it. Otherwise this file's own run would print one.
  const source = `import { test } from "vitest"; test("does", () => { ${body} });`;
  await writeFile(join(directory, "does.test.mjs"), source);
  await writeFile(
    join(directory, "config.mjs"),
    `export default { test: { dir: ${JSON.stringify(directory)}, include: ["*.test.mjs"], testTimeout: 600_000 } };`,
  );
  const said: string[] = [];
  const spies = [
    ...([process.stdout, process.stderr] as const).map((stream) =>
      vi.spyOn(stream, "write").mockReturnValue(true),
    ),
    vi.spyOn(console, "error").mockImplementation((text: string) => void said.push(text)),
  ];
  try {
    const { passed, failed, failures = [] } = await runVitest(["--config", join(directory, "config.mjs")]);
    return { passed, failed, failures, said: said.join("\n") };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

test("a run whose tests print a secret fails, though each of them passes", async () => {
  const [first, second] = CANARY.split("-");
  expect(await tallyOf('console.log("nothing of note")')).toEqual({
    passed: 1,
    failed: 0,
    failures: [],
    said: "",
  });
  const plain = `["${first}", "${second}", "password"].join("-")`;
  const encoded = `Buffer.from(["user:${first}", "${second}"].join("-")).toString("base64")`;
  expect(await tallyOf(`console.log(${plain}); console.log(${encoded})`)).toMatchObject({
    passed: 1,
    failed: 1,
    said: expect.stringContaining("(plain; base64, "),
  });
});

test("a run tells at its end what failed in it, and why", async () => {
  expect(await tallyOf('throw new Error("it is late\\nand dark")')).toMatchObject({
    passed: 0,
    failed: 1,
    failures: [expect.stringMatching(/does\.test\.mjs > does: Error: it is late$/)],
  });
});
