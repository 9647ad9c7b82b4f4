import type { Command, Option } from "commander";

/** A word that completes the line, with a description that some shells show. */
export interface Word {
  readonly text: string;
  readonly description: string;
}

/** The flags of a command, each once: by its long name, or its short one if that is all it has. */
export function optionWords(command: Command): Word[] {
  const own = command.options
    .filter(({ hidden }) => !hidden)
    .map(({ long, short, description }) => ({ text: long ?? short ?? "", description }));
  return [...own, { text: "--help", description: "show the help" }].filter(
    ({ text }, at, all) => all.findIndex((other) => other.text === text) === at,
  );
}

export function commandWords(command: Command): Word[] {
  const shown = command.createHelp().visibleCommands(command);
  return shown
    .filter((each) => each.name() !== "help")
    .map((each) => ({ text: each.name(), description: each.summary() || each.description() }));
}

/**
 * The values that an option allows. Of other options, nothing is known: the shell offers files.
 *
 * @param prefix what stands before the value in the same word: `--pull=`.
 */
export function valueWords({ argChoices = [] }: Option, prefix: string): Word[] {
  return argChoices.map((value) => ({ text: `${prefix}${value}`, description: "" }));
}

/** One word a line, with its description behind a tab. Words that the shell would split are left out. */
export function toLines(words: readonly Word[], current: string): string {
  return words
    .filter(({ text }) => text.startsWith(current) && /^[^\s\p{Cc}]+$/u.test(text))
    .map(({ text, description }) => `${text}\t${firstLine(description)}\n`)
    .join("");
}

function firstLine(text: string): string {
  return text.replaceAll(/[\s\p{Cc}]+/gu, " ").slice(0, 100);
}
