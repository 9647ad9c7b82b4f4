import type { Command, Option } from "commander";

/** What can stand where the cursor is. */
export type Expected =
  | { readonly kind: "command" }
  | { readonly kind: "option" }
  /** The value of an option. `prefix` is what stands before it in the same word: `--pull=`. */
  | { readonly kind: "value"; readonly option: Option; readonly prefix: string }
  | { readonly kind: "operand"; readonly index: number };

/**
 * Finds out what the last word of a command line can be.
 *
 * @param words behind the command's own name; the last one is the word at the cursor, possibly empty.
 * @returns the command that the word belongs to, and what is expected of it. Undefined: behind the first
 * operand of `run` and `exec` stands a command of the container, of which nothing is known.
 */
export function expectedAt(
  command: Command,
  words: readonly string[],
  { passesThrough = false }: { readonly passesThrough?: boolean },
): Expected | undefined {
  const before = words.slice(0, -1);
  const current = words.at(-1) ?? "";
  let operands = 0;
  let isOver = false;
  for (let at = 0; at < before.length; at++) {
    const word = before[at] ?? "";
    if (isOver || !word.startsWith("-") || word === "-") {
      operands++;
      continue;
    }
    if (word === "--") {
      isOver = true;
      continue;
    }
    const option = findOption(command, word);
    if (option === undefined || !takesNextWord(option, word)) continue;
    if (at === before.length - 1) return { kind: "value", option, prefix: "" };
    at++;
  }
  if (passesThrough && operands > 0) return undefined;
  if (current.startsWith("-") && !isOver) {
    const [prefix] = /^--[^=]+=/.exec(current) ?? [];
    const option = prefix === undefined ? undefined : findOption(command, prefix);
    return prefix === undefined || option === undefined
      ? { kind: "option" }
      : { kind: "value", option, prefix };
  }
  if (command.commands.length > 0 && operands === 0) return { kind: "command" };
  return { kind: "operand", index: operands };
}

/** Of joined short options (`-aq`), the last one may take a value. */
function findOption(command: Command, word: string): Option | undefined {
  const name = word.startsWith("--") ? word.split("=")[0] : `-${word.at(-1)}`;
  return command.options.find(({ long, short }) => long === name || short === name);
}

function takesNextWord(option: Option, word: string): boolean {
  return option.required && !word.includes("=");
}
