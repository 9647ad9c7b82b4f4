import { parsePlatform } from "@wfe-containerd/client";
import type { Command } from "commander";
import { connect } from "../connection.js";
import { globalOptions } from "../global-options.js";
import { printableLine } from "../printable.js";
import { digestColumn, printRows } from "../rows.js";
import { addTransferFlags, collect, registryOptions, type TransferFlags, transfer } from "../transfer.js";

interface PushFlags extends TransferFlags {
  readonly as?: string;
}

const EXAMPLE = `
Examples:
  wfe-containerd push registry.example.com/app:1.2
  wfe-containerd push --as registry.example.com/app:1.2 app:1.2`;

export function definePush(command: Command): void {
  command
    .description("Push an image to its registry.")
    .argument("<image>")
    .option("--as <reference>", "name to push it to (default: the image's own)")
    .option(
      "--platform <os/arch[/variant]>",
      "push only this platform of the image; may be given again (default: all)",
      collect,
    )
    .addHelpText("after", EXAMPLE);
  addTransferFlags(command).action(async (image: string, flags: PushFlags, self: Command) => {
    await using client = await connect(self);
    const { name, target } = await transfer(flags, (options) =>
      client.images.push(image, {
        ...options,
        ...registryOptions(flags),
        as: flags.as,
        platforms: flags.platform?.map(parsePlatform),
      }),
    );
    if (flags.quiet === true) return console.log(printableLine(name));
    await printRows([{ name, digest: target.digest }], {
      format: globalOptions(self).format,
      columns: ["name", digestColumn("digest")],
    });
  });
}
