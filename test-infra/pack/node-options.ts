import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Files that Node would run, or read variables from, if it accepted an option that names them. */
export const TRAPS = {
  /** An environment file that gives Node options. */
  variables: "variables.env",
  /** Another variable that the environment file sets. */
  variable: "SET_BY_NODE",
  /**
   * A configuration file for `--experimental-config-file`. `--experimental-default-config-file` looks for
   * this name.
   */
  config: "node.config.json",
  code: "trap.cjs",
  /** The file that the code in `code` creates. */
  proof: "trap-has-run",
} as const;
type Traps = typeof TRAPS;

export async function writeTraps(directory: string): Promise<void> {
  const code = join(directory, TRAPS.code);
  const proof = JSON.stringify(join(directory, TRAPS.proof));
  await writeFile(code, `require("node:fs").writeFileSync(${proof}, "");\n`);
  await writeFile(join(directory, TRAPS.variables), `${TRAPS.variable}=1\nNODE_OPTIONS=--require=${code}\n`);
  await writeFile(join(directory, TRAPS.config), JSON.stringify({ nodeOptions: { import: [code] } }));
}

/** Options that make Node run code, with a value as the next argument and after `=`. */
export function trapOptions({ variables, config, code }: Traps): string[] {
  const files: Readonly<Record<string, string>> = {
    "--env-file": variables,
    "--env-file-if-exists": variables,
    "--experimental-config-file": config,
    "--config-file": config,
    "--require": `./${code}`,
    "--import": `./${code}`,
    "--experimental-loader": `./${code}`,
    "--eval": "process.abort()",
  };
  const withValue = Object.entries(files).flatMap(([option, file]) => [option, file, `${option}=${file}`]);
  return [...withValue, "--experimental-default-config-file", "--inspect=0", "--test", "--watch"];
}

/** Lists every option that a Node shows in its help, or allows in NODE_OPTIONS. */
export async function optionsOf(node: string): Promise<string[]> {
  const { stdout: help } = await run(node, ["--help"]);
  const { stdout: allowed } = await run(node, ["-p", "[...process.allowedNodeEnvironmentFlags].join(' ')"]);
  const inHelp = [...help.matchAll(/(?<=^ +(?:-\w, )?)--?[\w-]+/gm)].map(([option]) => option);
  const short = [...help.matchAll(/^ +(-\w), /gm)].map(([, option = ""]) => option);
  const options = [...new Set([...inHelp, ...short, ...allowed.trim().split(" ")])];
  if (options.length < 100) throw new Error(`only ${options.length} options were found in node --help`);
  return options;
}

/** Each option alone, with a value as the next argument, and with a value after `=`. */
export function spellings(options: readonly string[], { variables, config, code }: Traps): string[] {
  const fileFor = (option: string): string =>
    option.includes("env") ? variables : option.includes("config") ? config : `./${code}`;
  return options.flatMap((option) => [option, option, fileFor(option), `${option}=${fileFor(option)}`]);
}

/**
 * Writes a program with the installed command's launcher. The program prints what Node made of the arguments.
 */
export async function writeProbe(project: string): Promise<string> {
  const installed = join(project, "node_modules/@wfe-containerd/cli/dist");
  const [shebang, launcher] = (await readFile(join(installed, "main.js"), "utf8")).split("\n");
  const program = `
import inspector from "node:inspector";
const [, , , ...marked] = process.argv;
const args = marked.map((each) => each.slice(1));
const { version, execArgv, env: variables } = process;
console.log(JSON.stringify({ version, args, execArgv, variables, inspector: inspector.url() ?? null }));
`;
  const path = join(project, "probe.mjs");
  await writeFile(path, `${shebang}\n${launcher}\n${program}`, { mode: 0o755 });
  return path;
}
