import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

const ALLOWED: readonly (readonly [file: string, specifier: string])[] = [
  ["packages/executor/src/core/plan/plan.ts", "./step.js"],
  ["packages/executor/src/core/plan/plan.ts", "../error.js"],
  ["packages/executor/src/core/plan/plan.ts", "zod"],
  ["packages/executor/src/core/spec/user.ts", "../refuse.js"],
  ["packages/executor/src/core/step/resources.ts", "../spec/spec.js"],
  ["packages/executor/src/core/plan.test.ts", "node:fs"],
  ["packages/executor/src/run-step.ts", "@wfe-containerd/client"],
  ["packages/client/src/task/task.ts", "@wfe-containerd/proto/services/tasks"],
  ["packages/client/test/task.test.ts", "@wfe-containerd/test-infra/daemon"],
  ["packages/cli/src/main.ts", "@wfe-containerd/client/daemon"],
];

const REFUSED: readonly (readonly [file: string, specifier: string])[] = [
  ["packages/executor/src/core/a.ts", "node:fs"],
  ["packages/executor/src/core/b.ts", "../run-step.js"],
  ["packages/executor/src/core/c.ts", "@wfe-containerd/client"],
  ["packages/executor/src/core/d.ts", "undici"],
  ["packages/executor/src/core/spec/a.ts", "../../run-step.js"],
  ["packages/executor/src/core/spec/b.ts", "node:os"],
  ["packages/executor/src/a.ts", "@wfe-containerd/cli"],
  ["packages/executor/src/b.ts", "@wfe-containerd/client/src/task.js"],
  ["packages/client/src/a.ts", "@wfe-containerd/executor"],
  ["packages/client/src/b.ts", "../../proto/src/gen/a.js"],
  ["packages/client/src/c.ts", "@wfe-containerd/test-infra/daemon"],
  ["packages/proto/src/a.ts", "@wfe-containerd/client"],
  ["examples/a.ts", "../packages/client/src/task.js"],
];

let directory: string;
let complaints: ReadonlyMap<string, string>;

/** Makes files with one import each, and applies the project's own rules. */
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "lint-"));
  const { vcs: _, $schema: __, ...rules } = JSON.parse(await readFile(join(ROOT, "biome.json"), "utf8"));
  await writeFile(join(directory, "biome.json"), JSON.stringify(rules));
  const files = [
    ...ALLOWED.map(([file, specifier], at) => [file.replace(".", `-${at}.`), specifier] as const),
    ...REFUSED,
  ];
  for (const [file, specifier] of files)
    await writeSource(file, `import { it } from "${specifier}";\nexport const same = it;\n`);
  await writeSource(
    "packages/client/src/egg.ts",
    'import { hen } from "./hen.js";\nexport const egg = hen;\n',
  );
  await writeSource(
    "packages/client/src/hen.ts",
    'import { egg } from "./egg.js";\nexport const hen = egg;\n',
  );
  await writeSource(
    "packages/client/src/shell.ts",
    'import type { Yolk } from "./yolk.js";\nexport interface Shell {\n  yolk: Yolk;\n}\n',
  );
  await writeSource(
    "packages/client/src/yolk.ts",
    'import type { Shell } from "./shell.js";\nexport interface Yolk {\n  shell: Shell;\n}\n',
  );
  complaints = await lint();
});

afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

test("imports go one way, only through exports, and core's stay pure", () => {
  const refused = [...complaints]
    .filter(([, category]) => category === "lint/style/noRestrictedImports")
    .map(([file]) => file);
  expect(refused.sort()).toEqual(REFUSED.map(([file]) => file).sort());
});

test("and never in a circle, not even of types", () => {
  const circular = [...complaints]
    .filter(([, category]) => category === "lint/suspicious/noImportCycles")
    .map(([file]) => file);
  expect(circular.sort()).toEqual(
    ["egg", "hen", "shell", "yolk"].map((name) => `packages/client/src/${name}.ts`),
  );
});

async function writeSource(file: string, text: string): Promise<void> {
  const path = join(directory, file);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}

/** @returns biome's report on each file. */
function lint(): Promise<Map<string, string>> {
  const biome = join(ROOT, "node_modules/.bin/biome");
  return new Promise((resolve, reject) => {
    execFile(
      biome,
      ["lint", "--reporter=json", "--max-diagnostics=none", "."],
      { cwd: directory },
      (error, stdout) => {
        if (error !== null && typeof error.code !== "number") return reject(error);
        const { diagnostics } = JSON.parse(stdout) as {
          diagnostics: { category: string; location: { path: string } }[];
        };
        resolve(new Map(diagnostics.map(({ category, location }) => [location.path, category])));
      },
    );
  });
}
