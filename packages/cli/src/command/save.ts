import type { Command } from "commander";
import { writeArchive } from "./export.js";

interface SaveFlags {
  readonly output?: string;
  readonly platform?: string;
}

const EXAMPLE = `
Examples:
  wfe-containerd save -o app.tar app:1.2 alpine:3.20
  wfe-containerd save app:1.2 | ssh host docker load`;

export function defineSave(command: Command): void {
  command
    .description("Write images to a tar, as docker save does. The same as export, with docker's flags.")
    .argument("<image...>")
    .option("-o, --output <file>", "file to write (default: standard output)")
    .option(
      "--platform <platform>",
      "only this platform: linux/arm64 (default: every platform that is present)",
    )
    .addHelpText("after", EXAMPLE)
    .action(async (names: string[], { output = "-", platform }: SaveFlags, self: Command) => {
      await writeArchive(output, names, platform === undefined ? undefined : [platform], self);
    });
}
