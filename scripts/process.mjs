import { spawn } from "node:child_process";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The root directory of the checkout. */
export const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** What the set-up and the tests keep between runs. Git ignores it. It may be deleted at any time. */
export const CACHE = join(ROOT, ".cache");

/** A problem that the user must know and fix. It is printed without a stack. */
export class Trouble extends Error {
  name = "Trouble";
}

/** Runs a program that shares our output. @throws Trouble when it cannot be started or fails. */
export async function run(command, args, options = {}) {
  const code = await exitCodeOf(command, args, options);
  if (code !== 0) throw new Trouble(`${[command, ...args].join(" ")}\nended with exit code ${code}`);
}

/**
 * Runs a program that shares our output.
 *
 * @param onOutput also gets each piece of the output.
 * @returns The program's exit code.
 */
export function exitCodeOf(command, args, { env, cwd = ROOT, onOutput } = {}) {
  return new Promise((resolve, reject) => {
    const output = onOutput === undefined ? "inherit" : "pipe";
    const child = spawn(command, args, { stdio: ["ignore", output, output], cwd, env: environment(env) });
    for (const name of onOutput === undefined ? [] : ["stdout", "stderr"]) {
      child[name].setEncoding("utf8").on("data", (text) => {
        process[name].write(text);
        onOutput(text);
      });
    }
    child.once("error", (error) => reject(new Trouble(`${command} cannot be started: ${error.message}`)));
    child.once("close", (code) => resolve(code ?? 1));
  });
}

/** Runs a program quietly. @returns its output and its exit code, which is 127 for a missing program. */
export function capture(command, args, { env, cwd = ROOT } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], cwd, env: environment(env) });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text) => {
      stderr += text;
    });
    child.once("error", (error) => resolve({ code: 127, stdout: "", stderr: error.message }));
    child.once("close", (code) => resolve({ code: code ?? 1, stdout, stderr }));
  });
}

/**
 * Our environment, with the project's tools first on PATH, and with Debian's directories for root's programs.
 */
function environment(changes = {}) {
  const path = [
    join(ROOT, "node_modules/.bin"),
    join(CACHE, "pnpm/node_modules/pnpm"),
    ...(changes.PATH === undefined ? [] : [changes.PATH]),
    process.env.PATH,
    "/usr/sbin",
    "/sbin",
  ];
  return { ...process.env, TURBO_TELEMETRY_DISABLED: "1", ...changes, PATH: path.join(delimiter) };
}

/**
 * Runs a script's main function. Prints a Trouble as its message alone, and any other error with its stack.
 */
export async function story(tell) {
  try {
    await tell();
  } catch (error) {
    console.error(error instanceof Trouble ? `\n${error.message}` : error);
    process.exitCode = 1;
  }
}
