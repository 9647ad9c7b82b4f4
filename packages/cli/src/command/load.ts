import type { Command } from "commander";
import { UsageError } from "../failure.js";
import { printableLine } from "../printable.js";
import { readArchive } from "./import.js";

interface LoadFlags {
  readonly input?: string;
  readonly quiet?: boolean;
}

const EXAMPLE = `
Examples:
  wfe-containerd load -i app.tar
  docker save app:1.2 | wfe-containerd load`;

export function defineLoad(command: Command): void {
  command
    .description("Import the images of a tar, as docker load does. The same as import, with docker's flags.")
    .option("-i, --input <file>", "file to read (default: standard input)")
    .option("-q, --quiet", "no effect, as nothing is printed before the end; accepted because docker has it")
    .addHelpText("after", EXAMPLE)
    .action(async ({ input = "-" }: LoadFlags, self: Command) => {
      if (input === "-" && process.stdin.isTTY)
        throw new UsageError("standard input is a terminal; give a file with -i, or redirect the input");
      for (const { name } of await readArchive(input, {}, self))
        console.log(printableLine(`Loaded image: ${name}`));
    });
}
