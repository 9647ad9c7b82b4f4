import type { Command } from "commander";
import { expect, test } from "vitest";
import { defineCommand } from "./command-entry.js";
import { COMMANDS } from "./commands.js";
import { fitHelp } from "./help-layout.js";
import { createProgram } from "./program.js";

/** A command without commands of its own, or those. */
function leaves(command: Command): readonly Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leaves);
}

test.each(COMMANDS.map(({ name }) => name))(
  "%s has a summary, and flags that say what they do",
  async (name) => {
    const program = createProgram();
    const entry = COMMANDS.find((each) => each.name === name);
    const command = program.commands.find((each) => each.name() === name);
    if (entry === undefined || command === undefined) throw new Error(`there is no ${name}`);
    expect(command.summary()).toMatch(/^[a-z]/);
    await defineCommand(program, command, entry);
    for (const leaf of leaves(command)) {
      if (entry.isHidden !== true) expect(leaf.description()).toMatch(/^[A-Z].*\.$/);
      const shown = leaf.options.filter(({ hidden }) => !hidden);
      for (const { flags, description } of shown) expect(description, flags).toMatch(/^\S/);
      // The daemon's address and the like can stand behind each of them.
      expect(leaf.options.map(({ long }) => long)).toContain("--address");
    }
  },
);

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
