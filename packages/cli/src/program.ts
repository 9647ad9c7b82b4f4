import { Command } from "commander";
import { defineCommand } from "./command-entry.js";
import { COMMANDS } from "./commands.js";
import { FAILED } from "./failure.js";
import { addGlobalOptions } from "./global-options.js";
import { fitHelp, HELP_LAYOUT } from "./help-layout.js";
import { mistakeText } from "./mistake-text.js";
import { ownVersion } from "./own-version.js";

const EXAMPLES = `
Examples:
  wfe-containerd run alpine:3.20 echo hello     run a command in a container
  wfe-containerd step build.yaml                run a step file
  wfe-containerd ps --format '{{.ID}} {{.Status}}'
  wfe-containerd doctor                         find out why steps cannot run

\`wfe-containerd COMMAND --help\` shows the flags of a command, with examples.
Where a command takes a STEP, give its id, the beginning of its id, or its name.`;

/**
 * Creates the whole command line. Each command has a file in `command/`, which is loaded only when the
 * command is called.
 */
export function createProgram(): Command {
  const program = new Command("wfe-containerd")
    .description("Runs workflow steps as isolated containers, through containerd's gRPC API.")
    .version(`wfe-containerd ${ownVersion()}`, "-v, --version", "print the version")
    .helpCommand(false)
    .enablePositionalOptions()
    .showHelpAfterError("wfe-containerd --help lists the commands.")
    .configureHelp(HELP_LAYOUT)
    .configureOutput({
      writeOut: (text) => printFitted(process.stdout, text),
      writeErr: (text) => printFitted(process.stderr, text),
      outputError: (text, write) => write(mistakeText(text)),
    })
    .exitOverride((error) => {
      // 125 is docker's exit code for a command line with a mistake. Help that was asked for exits with 0.
      process.exit(error.exitCode === 0 ? 0 : FAILED);
    })
    .addHelpText("after", EXAMPLES)
    .hook("preSubcommand", async (_program, command) => {
      const entry = COMMANDS.find(({ name }) => name === command.name());
      if (entry !== undefined) await defineCommand(program, command, entry);
    });
  program
    .command("help [command]")
    .summary("show the help of a command")
    .helpGroup("Other:")
    .action((name: string | undefined) => showHelp(program, name));
  addGlobalOptions(program);
  for (const { name, group, summary, isHidden = false } of COMMANDS)
    program.command(name, { hidden: isHidden }).summary(summary).helpGroup(group);
  return program;
}

function printFitted(stream: NodeJS.WriteStream, text: string): void {
  stream.write(stream.isTTY ? fitHelp(text, stream.columns || 80) : text);
}

/** Commander's own help command would show the help of a command whose file is not loaded. */
async function showHelp(program: Command, name: string | undefined): Promise<void> {
  const entry = COMMANDS.find((each) => each.name === name);
  const command = program.commands.find((each) => each.name() === name);
  if (name === undefined || command === undefined) program.help({ error: name !== undefined });
  if (entry !== undefined) await defineCommand(program, command, entry);
  command.help();
}
