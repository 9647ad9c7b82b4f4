import type { Command } from "commander";
import { takeDockerSpelling } from "./docker-spelling.js";
import { repeatGlobalOptions } from "./global-options.js";
import { mistakeText } from "./mistake-text.js";

/** What a command's operands name. The completion asks for them. */
export type OperandKind =
  | "step"
  | "running-step"
  | "recoverable-step"
  | "step-or-image"
  | "image"
  | "volume"
  | "shell"
  | "file";

/** A command: what the help lists, and where the rest of it is. */
export interface CommandEntry {
  readonly name: string;
  /** The heading of the help under which it stands. */
  readonly group: string;
  /** One line, for the list of commands. */
  readonly summary: string;
  readonly operands?: OperandKind;
  readonly isHidden?: boolean;
  /** Whether what stands behind the first operand is not ours: a program and its arguments. */
  readonly passesThrough?: boolean;
  /** Loads what the command needs, and no other command does. Returns what adds its flags and action. */
  readonly load: () => Promise<(command: Command) => void>;
}

/** Adds the flags and the action of a command, which takes loading its file. */
export async function defineCommand(program: Command, command: Command, entry: CommandEntry): Promise<void> {
  const define = await entry.load();
  define(command);
  repeatGlobalOptions(program, command);
  for (const each of [command, ...command.commands]) {
    takeDockerSpelling(each, entry);
    // Commander prints it below a mistake.
    const usage = each.createHelp().commandUsage(each);
    each.showHelpAfterError(`Usage: ${usage}`);
    if (each !== command) continue;
    each.configureOutput({ outputError: (text, write) => write(mistakeText(text, entry.name)) });
  }
}
