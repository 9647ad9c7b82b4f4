import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, "..");
const READMES = [
  "README.md",
  ...["proto", "client", "executor", "cli"].map((name) => `packages/${name}/README.md`),
  ...(await readdir(join(ROOT, "docs"))).filter((name) => name.endsWith(".md")).map((name) => `docs/${name}`),
];
/** A directory inside the workspace, so that imports resolve as they do in the examples. */
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(import.meta.dirname, ".readme-"));
});
afterAll(() => rm(directory, { recursive: true }));

async function blocksOf(
  readme: string,
): Promise<{ language: string | undefined; file: string | undefined; code: string }[]> {
  const text = await readFile(join(ROOT, readme), "utf8");
  return [...text.matchAll(/```(ts|js)(?: file=(\S+))?\n([\s\S]*?)```/g)].map(([, language, file, code]) => ({
    language,
    file,
    code: code ?? "",
  }));
}

// Other tests run the examples. A README must show exactly their code.
test("code that names its file is that file's", async () => {
  const named = (await Promise.all(READMES.map(blocksOf))).flat().filter(({ file }) => file !== undefined);
  expect(named.length).toBeGreaterThan(0);
  for (const { file, code } of named) expect(code).toBe(await readFile(join(ROOT, file as string), "utf8"));
});

test("every piece of TypeScript in a README or a guide compiles as it stands", async () => {
  for (const readme of READMES) {
    for (const [at, { language, code }] of (await blocksOf(readme)).entries()) {
      if (language !== "ts") continue;
      const name = `${readme.replaceAll(/\W/g, "-")}-${at}.ts`;
      await writeFile(join(directory, name), `${code}\nexport {};\n`);
    }
  }
  const options = { noEmit: true, noUnusedLocals: false, noUnusedParameters: false };
  const config = { extends: "../../tsconfig.base.json", compilerOptions: options, include: ["*.ts"] };
  await writeFile(join(directory, "tsconfig.json"), JSON.stringify(config));
  const { stdout } = await run(join(ROOT, "node_modules/.bin/tsc"), ["-p", directory]).catch(
    (failed: { stdout: string }) => failed,
  );
  expect(stdout).toBe("");
});
