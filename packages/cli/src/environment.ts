import { readFile } from "node:fs/promises";
import { UsageError } from "./failure.js";

/**
 * Environment variables by docker's rules: files first, then flags; later ones win; `NAME` alone takes our own variable, if there is
 * one. In a file, empty lines and those that start with `#` are passed over.
 */
export async function readEnvironment(
  files: readonly string[],
  flags: readonly string[],
): Promise<Record<string, string>> {
  const variables: Record<string, string> = {};
  for (const file of files)
    for (const line of await readLines("--env-file", file)) add(variables, line, `--env-file ${file}`);
  for (const flag of flags) add(variables, flag, "--env");
  return variables;
}

/** Labels by docker's rules: `name=value` or `name`, one a line. */
export async function readLabels(files: readonly string[]): Promise<Record<string, string>> {
  const lines = await Promise.all(files.map((file) => readLines("--label-file", file)));
  return Object.fromEntries(
    lines.flat().map((line) => {
      const [name = "", value = ""] = line.split(/=(.*)/s);
      return [name, value];
    }),
  );
}

/** The lines of a file, without empty ones and comments. */
async function readLines(flag: string, file: string): Promise<string[]> {
  const contents = await readFile(file, "utf8").catch((cause: NodeJS.ErrnoException) => {
    throw new UsageError(`${flag}: cannot read ${file}: ${cause.code}`, { cause });
  });
  const lines = contents
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .map((line) => line.trimStart());
  return lines.filter((line) => line !== "" && !line.startsWith("#"));
}

function add(variables: Record<string, string>, entry: string, where: string): void {
  const at = entry.indexOf("=");
  const name = at === -1 ? entry : entry.slice(0, at);
  // What stands behind the name may be a secret: it is not shown.
  if (name === "" || /\s/.test(name))
    throw new UsageError(
      `${where}: a variable has an empty name, or one with blanks; allowed: NAME=value, NAME`,
    );
  const value = at === -1 ? process.env[name] : entry.slice(at + 1);
  if (value !== undefined) variables[name] = value;
}
