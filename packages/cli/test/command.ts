import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, openSync } from "node:fs";
import { delimiter, dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { callInHost } from "./command-hosts.js";

/** The built command, as it is published; `pnpm build` makes it. */
export const MAIN = fileURLToPath(new URL("../dist/main.js", import.meta.url));

export interface Finished {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** The same, with standard output as text: to compare it as a whole. */
export interface Told {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export function told({ code, stdout, stderr }: Finished): Told {
  return { code, stdout: stdout.toString(), stderr };
}

export interface Running {
  readonly child: ChildProcess;
  readonly finished: Promise<Finished>;
  /** Resolves when standard output contains the text. */
  printed(text: string): Promise<void>;
}

export interface CommandOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string | Uint8Array;
  readonly cwd?: string;
  /** Standard output goes to this file instead of to the test. */
  readonly stdoutFile?: string;
  /** Leave standard input open until the end: a terminal ends when its input does. Default `false`. */
  readonly keepsInput?: boolean;
}

/** Starts the command as a process of its own. */
export function start(args: readonly string[], options: CommandOptions = {}): Running {
  requireBuilt();
  return startProgram(MAIN, args, options);
}

function requireBuilt(): void {
  if (!existsSync(MAIN)) throw new Error("the command is not built: pnpm build");
}

/**
 * The variables of a command. Its launcher starts the `node` on PATH, which must be the Node that runs these
 * tests.
 */
function environment(changes?: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const path = [dirname(process.execPath), process.env["PATH"]].join(delimiter);
  return { ...process.env, PATH: path, ...changes };
}

/** Starts any program, such as a shell or a terminal in which the command runs. */
export function startProgram(program: string, args: readonly string[], options: CommandOptions): Running {
  const { stdoutFile } = options;
  const outFd = stdoutFile === undefined ? undefined : openSync(stdoutFile, "w");
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: environment(options.env),
    stdio: ["pipe", outFd ?? "pipe", "pipe"],
  });
  if (outFd !== undefined) closeSync(outFd);
  // It may end before it has read everything.
  child.stdin?.on("error", () => undefined);
  if (options.keepsInput !== true) child.stdin?.end(options.input ?? "");
  const stdout: Buffer[] = [];
  let stderr = "";
  let onOutput = (): void => undefined;
  child.stdout?.on("data", (chunk: Buffer) => {
    stdout.push(chunk);
    onOutput();
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const finished = new Promise<Finished>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve({ code, signal, stdout: Buffer.concat(stdout), stderr }));
  });
  return {
    child,
    finished,
    printed: (text) =>
      new Promise((resolve, reject) => {
        onOutput = () => {
          if (!Buffer.concat(stdout).includes(text)) return;
          onOutput = () => undefined;
          resolve();
        };
        onOutput();
        finished.then(
          ({ code, stderr: said }) =>
            reject(new Error(`it ended with ${code} without printing ${JSON.stringify(text)}: ${said}`)),
          reject,
        );
      }),
  };
}

/**
 * Acts again and again until something is seen. Nothing else tells that a command which only watches has
 * begun to watch.
 */
export async function actUntil(seen: Promise<unknown>, act: () => Promise<unknown>): Promise<void> {
  let isOver = false;
  const over = (): void => {
    isOver = true;
  };
  seen.then(over, over);
  while (!isOver) await act();
  await seen;
}

/**
 * Runs the command to its end, in a process that has loaded it before: most of a short call is the start of
 * Node and of our code. What is about the process itself needs `start`: signals, descriptors, its end.
 */
export async function call(
  args: readonly string[],
  { env, cwd, input = "" }: Pick<CommandOptions, "env" | "cwd" | "input"> = {},
): Promise<Finished> {
  requireBuilt();
  return { ...(await callInHost(MAIN, { args, env: environment(env), cwd, input })), signal: null };
}

/** Runs any program to its end. */
export async function run(
  program: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<Finished> {
  return startProgram(program, args, options).finished;
}
