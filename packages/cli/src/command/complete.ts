import type { Command } from "commander";
import { type CommandEntry, defineCommand } from "../command-entry.js";
import { type Expected, expectedAt } from "../completion/position.js";
import { commandWords, optionWords, toLines, valueWords, type Word } from "../completion/words.js";

/**
 * A daemon that does not answer gives no words. One on a busy machine may need seconds, and Ctrl-C ends the
 * wait before.
 */
const ANSWER_MS = 10_000;

/**
 * Prints the words that can stand at the end of a command line. It never fails and prints no error: that
 * would disturb the line that is being typed.
 */
export function defineComplete(command: Command, entries: readonly CommandEntry[]): void {
  command
    .argument("[words...]", "the command line so far; the last word is the one to complete")
    .passThroughOptions()
    .allowUnknownOption()
    .action(async (words: string[], _flags: object, self: Command) => {
      const program = self.parent ?? self;
      const found = await complete(program, words, entries).catch(() => []);
      process.stdout.write(toLines(found, words.at(-1) ?? ""));
    });
}

async function complete(
  program: Command,
  words: readonly string[],
  entries: readonly CommandEntry[],
): Promise<Word[]> {
  const at = commandIndex(program, words);
  if (at === undefined) return wordsFor(program, expectedAt(program, words, { passesThrough: false }));
  const entry = entries.find(({ name, isHidden }) => name === words[at] && isHidden !== true);
  const found = program.commands.find((each) => each.name() === entry?.name);
  if (entry === undefined || found === undefined) return [];
  await defineCommand(program, found, entry);
  const rest = words.slice(at + 1);
  const nested = rest.length > 1 ? found.commands.find((each) => each.name() === rest[0]) : undefined;
  const command = nested ?? found;
  const own = nested === undefined ? rest : rest.slice(1);
  const expected = expectedAt(command, own, entry);
  if (expected?.kind !== "operand") return wordsFor(command, expected);
  if (entry.operands === "shell") return ["bash", "zsh", "fish"].map((text) => ({ text, description: "" }));
  if (entry.operands === undefined || entry.operands === "file") return [];
  return askDaemon(
    program,
    command,
    { before: words.slice(0, at), behind: own.slice(0, -1) },
    entry.operands,
  );
}

/** The index of the command's name; undefined if it is not there yet. */
function commandIndex(program: Command, words: readonly string[]): number | undefined {
  for (let at = 0; at < words.length - 1; at++) {
    const expected = expectedAt(program, words.slice(0, at + 1), { passesThrough: false });
    if (expected?.kind === "command") return at;
  }
  return undefined;
}

function wordsFor(command: Command, expected: Expected | undefined): Word[] {
  if (expected?.kind === "command") return commandWords(command);
  if (expected?.kind === "option") return optionWords(command);
  return expected?.kind === "value" ? valueWords(expected.option, expected.prefix) : [];
}

/** Options such as `--address` may stand before or behind the command's name. */
async function askDaemon(
  program: Command,
  command: Command,
  words: { readonly before: readonly string[]; readonly behind: readonly string[] },
  kind: NonNullable<CommandEntry["operands"]>,
): Promise<Word[]> {
  // What is typed so far may have mistakes. Its own end would end this process.
  for (const each of [program, command])
    each.exitOverride((error) => {
      throw error;
    });
  program.parseOptions([...words.before]);
  command.parseOptions([...words.behind]);
  const [{ connect }, { operandWords }] = await Promise.all([
    import("../connection.js"),
    import("../completion/operands.js"),
  ]);
  await using client = await connect(command);
  const late = new Promise<Word[]>((resolve) => {
    setTimeout(resolve, ANSWER_MS, []).unref();
  });
  const asked = operandWords(client, kind);
  // If the answer is late, the client is closed, and nobody waits for the failure.
  asked.catch(() => undefined);
  return await Promise.race([asked, late]);
}
