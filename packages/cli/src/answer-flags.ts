import { type Command, Option } from "commander";
import { UsageError } from "./failure.js";

/** A flag of docker that a command does not have. */
export interface OtherFlag {
  /** In commander's form: `-p, --publish <list>`. Without a value it is a switch. */
  readonly flags: string;
  /** Returns what to do instead. Undefined: the flag is accepted, since it asks for what happens anyway. */
  readonly instead: (value: string) => string | undefined;
}

/** A flag of docker's ps and inspect. */
export const SIZE_FLAG: OtherFlag = {
  flags: "-s, --size",
  instead: () =>
    "what a step writes is not measured; images and volume ls show the sizes of images and volumes",
};

/** Adds flags of docker that are answered with what to do instead. The command's help does not show them. */
export function answerFlags(command: Command, others: readonly OtherFlag[]): void {
  for (const { flags, instead } of others) {
    const option = new Option(flags).hideHelp();
    command.addOption(option);
    command.on(`option:${option.name()}`, (value: string | null) => {
      const sentence = instead(value ?? "");
      if (sentence !== undefined) throw new UsageError(`${option.long}: ${sentence}`);
    });
  }
}
