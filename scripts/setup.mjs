// Makes this checkout ready: checks the machine, installs what is missing, builds. Imports only Node's own
// modules, since nothing is installed yet. When everything is ready, it takes a second or two.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bootstrapDebian, unpackSources } from "./debian.mjs";
import { checkMachine } from "./machine.mjs";
import { installPackages } from "./packages.mjs";
import { CACHE, capture, ROOT, story, Trouble } from "./process.mjs";

/**
 * @param {{ tests?: boolean }} options `tests`: also install what only tests need.
 * @throws Trouble that says what is missing, and how to get it.
 */
export async function setUp({ tests = false } = {}) {
  await checkMachine();
  await installPackages({ tests });
  await installPnpm();
  await quietly("pnpm", ["install", "--frozen-lockfile"]);
  // Always the sources of containerd 1.6: what later releases added is listed against them.
  if (tests) await unpackSources("bookworm");
  if (tests) await bootstrapDebian({ suite: "bookworm", kept: ["passwd", "login"] });
  await quietly("turbo", ["run", "build", "--output-logs=errors-only"]);
}

/**
 * Installs pnpm in the cache, in the version that package.json names. Its npm package contains a native
 * program.
 */
async function installPnpm() {
  const { devEngines } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8"));
  const { version } = devEngines.packageManager;
  const directory = join(CACHE, "pnpm");
  const installed = await readFile(join(directory, "node_modules/pnpm/package.json"), "utf8").catch(
    () => "{}",
  );
  if (JSON.parse(installed).version === version) return;
  console.log(`Installing pnpm ${version} in .cache`);
  await quietly("npm", [
    "install",
    "--prefix",
    directory,
    "--no-save",
    "--no-package-lock",
    `pnpm@${version}`,
  ]);
}

/** Runs a program, and shows its output only when it fails. */
async function quietly(command, args) {
  const { code, stdout, stderr } = await capture(command, args);
  if (code !== 0)
    throw new Trouble(`${stdout}${stderr}\n${[command, ...args].join(" ")}\nended with exit code ${code}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await story(async () => {
    const startedAt = performance.now();
    await setUp({ tests: process.argv.includes("--tests") });
    console.log(`Ready after ${((performance.now() - startedAt) / 1000).toFixed(1)} s.`);
  });
}
