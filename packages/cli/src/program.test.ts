import type { Command } from "commander";
import { expect, test } from "vitest";
import { type CommandEntry, defineCommand } from "./command-entry.js";
import { COMMANDS } from "./commands.js";
import { fitHelp } from "./help-layout.js";
import { createProgram } from "./program.js";

/** A command without commands of its own, or those. */
function leaves(command: Command): readonly Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leaves);
}

/** A command with its flags, as when it is called. */
async function defined(name: string): Promise<{ entry: CommandEntry; command: Command }> {
  const program = createProgram();
  const entry = COMMANDS.find((each) => each.name === name);
  const command = program.commands.find((each) => each.name() === name);
  if (entry === undefined || command === undefined) throw new Error(`there is no ${name}`);
  await defineCommand(program, command, entry);
  return { entry, command };
}

test.each(COMMANDS.map(({ name }) => name))(
  "%s has a summary, and flags that say what they do",
  async (name) => {
    const { entry, command } = await defined(name);
    expect(command.summary()).toMatch(/^[a-z]/);
    for (const leaf of leaves(command)) {
      if (entry.isHidden !== true) expect(leaf.description()).toMatch(/^[A-Z].*\.$/);
      const shown = leaf.options.filter(({ hidden }) => !hidden);
      for (const { flags, description } of shown) expect(description, flags).toMatch(/^\S/);
      // The daemon's address and the like can stand behind each of them.
      expect(leaf.options.map(({ long }) => long)).toContain("--address");
    }
  },
);

test.each(COMMANDS.filter(({ isHidden }) => isHidden !== true).map(({ name }) => name))(
  "the help of %s has examples, and the command takes them",
  async (name) => {
    const { command } = await defined(name);
    for (const leaf of leaves(command)) {
      const path = leaf === command ? name : `${name} ${leaf.name()}`;
      const examples = examplesIn(helpOf(leaf), path);
      expect(examples, path).not.toEqual([]);
      for (const words of examples) {
        const { operands, unknown } = leaf.parseOptions([...words]);
        expect(unknown, words.join(" ")).toEqual([]);
        const { registeredArguments: known } = leaf;
        const required = known.filter((each) => each.required).length;
        expect(operands.length, words.join(" ")).toBeGreaterThanOrEqual(required);
        if (known.at(-1)?.variadic !== true)
          expect(operands.length, words.join(" ")).toBeLessThanOrEqual(known.length);
      }
    }
  },
);

function helpOf(command: Command): string {
  let text = "";
  command.configureOutput({
    writeOut(part) {
      text += part;
    },
  });
  command.outputHelp();
  return text;
}

/** The words behind the command's name, of each example of it. */
function examplesIn(help: string, path: string): string[][] {
  const examples = help.slice(help.search(/^Examples?\b/m)).split(/\n| {2,}/);
  return examples.flatMap((example) => {
    const [, rest] = example.match(new RegExp(`\\bwfe-containerd ${path}(?![\\w-])(.*)`)) ?? [];
    if (rest === undefined) return [];
    const words: string[] = rest.match(/\$\([^)]*\)|'[^']*'|"[^"]*"|[|<>;)]|[^\s'"|<>;)]+/g) ?? [];
    const end = words.findIndex((word) => /^[|<>;)]$/.test(word));
    return [end === -1 ? words : words.slice(0, end)];
  });
}

test("the help lists each command once, and none that only scripts call", () => {
  const help = createProgram().helpInformation();
  for (const { name, isHidden = false } of COMMANDS)
    expect(help.match(new RegExp(`^ {2}${name} `, "gm"))?.length ?? 0, name).toBe(isHidden ? 0 : 1);
});

test.each([80, 40])("in %i columns, no help is wider, but for examples and long words", async (columns) => {
  const program = createProgram();
  let text = "";
  const print = (command: Command): void => {
    command.configureOutput({
      writeOut(part) {
        text += `${fitHelp(part, columns)}\n`;
      },
      getOutHelpWidth: () => columns,
    });
    command.outputHelp();
  };
  print(program);
  for (const command of program.commands) {
    const entry = COMMANDS.find(({ name }) => name === command.name());
    if (entry === undefined) continue;
    await defineCommand(program, command, entry);
    for (const leaf of leaves(command)) print(leaf);
  }
  const wide = text.split("\n").filter((line) => line.length > columns);
  expect(text).toContain("--device-write-iops");
  expect(
    wide.filter((line) => !/^ {2}\S|^ +(?:run:|wfe-containerd) /.test(line) && /\S \S/.test(line)),
  ).toEqual([]);
});
