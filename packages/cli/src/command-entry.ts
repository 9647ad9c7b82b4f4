import type { Command } from "commander";
import { repeatGlobalOptions } from "./global-options.js";

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
  /** Loads what the command needs, and no other command does. Returns what adds its flags and action. */
  readonly load: () => Promise<(command: Command) => void>;
}

/** Adds the flags and the action of a command, which takes loading its file. */
export async function defineCommand(program: Command, command: Command, entry: CommandEntry): Promise<void> {
  const define = await entry.load();
  define(command);
  repeatGlobalOptions(program, command);
}
