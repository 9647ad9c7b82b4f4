import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { text } from "node:stream/consumers";
import { UsageError } from "./failure.js";

/** Asks at the terminal. @param hidden what is typed is not shown. */
export async function ask(question: string, { hidden = false }: { hidden?: boolean } = {}): Promise<string> {
  if (!process.stdin.isTTY) throw new UsageError(`${question.trim()} cannot be asked: this is no terminal`);
  process.stderr.write(question);
  // Node's line editor writes what is typed to its output: one that goes nowhere.
  const output = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      if (hidden) done();
      else process.stderr.write(chunk, done);
    },
  });
  const lines = createInterface({ input: process.stdin, output, terminal: true });
  try {
    return await lines.question("");
  } finally {
    lines.close();
    if (hidden) process.stderr.write("\n");
  }
}

/** All of standard input, without the newline at its end. */
export async function readSecret(): Promise<string> {
  return (await text(process.stdin)).replace(/\r?\n$/, "");
}
