import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { text } from "node:stream/consumers";
import { UsageError } from "./failure.js";
import { printableLine } from "./printable.js";

/**
 * Asks a question on the terminal.
 *
 * @param instead what to give instead when there is no terminal; shown in the error.
 * @param options `hidden`: do not show what is typed. Default `false`.
 * @throws UsageError when standard input is not a terminal.
 */
export async function ask(
  question: string,
  instead: string,
  { hidden = false }: { hidden?: boolean } = {},
): Promise<string> {
  if (!process.stdin.isTTY) {
    const what = question.replace(/: $/, "").toLowerCase();
    throw new UsageError(`cannot ask for the ${what}: standard input is not a terminal; give ${instead}`);
  }
  // Node's line editor draws its line again at each key, from the first column on. So it has to draw the
  // question, too. With `hidden` it draws nothing. It also keeps the terminal from showing what is typed, so
  // the question, which invites to type, comes after it.
  const output = hidden ? new Writable({ write: (_chunk, _encoding, done) => done() }) : process.stderr;
  const lines = createInterface({ input: process.stdin, output, terminal: true });
  if (hidden) process.stderr.write(question);
  // In raw mode, Ctrl-C raises no signal. Ctrl-D closes the terminal's input, which is no answer.
  lines.once("SIGINT", () => {
    lines.close();
    process.stderr.write("\n");
    process.kill(process.pid, "SIGINT");
  });
  const closed = new Promise<string>((resolve) => {
    lines.once("close", () => resolve(""));
  });
  try {
    return await Promise.race([lines.question(hidden ? "" : question), closed]);
  } finally {
    lines.close();
    if (hidden) process.stderr.write("\n");
  }
}

/** Reads all of standard input and removes the newline at its end. */
export async function readSecret(): Promise<string> {
  return (await text(process.stdin)).replace(/\r?\n$/, "");
}

/**
 * Asks whether to go on with what removes much. Without a terminal nobody can answer, and it goes on, as a
 * script expects.
 *
 * @param what what will be removed, as the beginning of the question: `This removes 3 images: a, b, c.`
 * @returns whether to go on.
 */
export async function confirm(what: string): Promise<boolean> {
  if (!isTerminal()) return true;
  const answer = await ask(`${printableLine(what)} Continue? [y/N] `, "--force");
  if (/^y(?:es)?$/i.test(answer.trim())) return true;
  process.stderr.write("wfe-containerd: nothing is removed\n");
  return false;
}

/** Whether a person can answer. */
export function isTerminal(): boolean {
  return process.stdin.isTTY && process.stderr.isTTY;
}

/** `a, b, c and 7 more`: enough to see what a question is about. */
export function listed(names: readonly string[]): string {
  const more = names.length - MAX_LISTED;
  return `${names.slice(0, MAX_LISTED).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

const MAX_LISTED = 10;
