import { UsageError } from "./failure.js";
import { readNamedFile } from "./read-file.js";

/**
 * Reads environment variables by docker's rules: files first, then flags; a later value wins. `NAME` without
 * a value takes the variable of this process, if it is set. Empty lines and lines that start with `#` are
 * ignored.
 *
 * @throws UsageError when a file cannot be read, or a name is empty or has blanks.
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

/**
 * Reads labels by docker's rules: one `name=value` or `name` per line.
 *
 * @throws UsageError for an unreadable file.
 */
export async function readLabels(files: readonly string[]): Promise<Record<string, string>> {
  const lines = await Promise.all(files.map((file) => readLines("--label-file", file)));
  return Object.fromEntries(
    lines.flat().map((line) => {
      const [name = "", value = ""] = line.split(/=(.*)/s);
      return [name, value];
    }),
  );
}

/** Returns the lines of a file without empty lines and comments. */
async function readLines(flag: string, file: string): Promise<string[]> {
  const contents = (await readNamedFile(flag, file)).toString("utf8");
  const lines = contents
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .map((line) => line.trimStart());
  return lines.filter((line) => line !== "" && !line.startsWith("#"));
}

function add(variables: Record<string, string>, entry: string, where: string): void {
  const at = entry.indexOf("=");
  const name = at === -1 ? entry : entry.slice(0, at);
  // The message does not show the entry: its value may be a secret.
  if (name === "" || /\s/.test(name))
    throw new UsageError(
      `${where}: a variable's name is empty or contains blanks; allowed: NAME=value, or NAME to pass your own variable on`,
    );
  const value = at === -1 ? process.env[name] : entry.slice(at + 1);
  if (value !== undefined) variables[name] = value;
}
