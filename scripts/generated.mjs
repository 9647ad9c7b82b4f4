import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT, run } from "./process.mjs";

const GENERATED = "packages/proto/src/gen";

/** Generates the TypeScript of the .proto files into a temporary directory, and compares it with ours. */
export async function checkGenerated() {
  const fresh = await mkdtemp(join(tmpdir(), "wfe-generated-"));
  try {
    await run("buf", ["generate", "--output", fresh]);
    const [expected, actual] = await Promise.all([
      readTree(join(fresh, GENERATED)),
      readTree(join(ROOT, GENERATED)),
    ]);
    const names = [...new Set([...expected.keys(), ...actual.keys()])].sort();
    const stale = names.filter((name) => expected.get(name) !== actual.get(name));
    for (const name of stale)
      console.error(`${GENERATED}/${name} is not what the .proto files give: pnpm generate`);
    return { passed: stale.length === 0 ? 1 : 0, failed: stale.length === 0 ? 0 : 1 };
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

/** @returns The text of every file, by its path below the directory. */
async function readTree(directory) {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return new Map(
    await Promise.all(
      paths.map(async (path) => [path.slice(directory.length + 1), await readFile(path, "utf8")]),
    ),
  );
}
