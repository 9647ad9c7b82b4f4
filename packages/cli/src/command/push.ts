import { parsePlatform } from "@wfe-containerd/client";
import type { Command } from "commander";
import { connect, globalOptions } from "../connection.js";
import { printRows } from "../table.js";
import { addTransferFlags, collect, registryOptions, type TransferFlags, transfer } from "../transfer.js";

interface PushFlags extends TransferFlags {
  readonly as?: string;
}

export function addPushCommand(program: Command): void {
  const command = program
    .command("push")
    .description("Bring an image to its registry.")
    .argument("<image>")
    .option("--as <reference>", "the name to push it by (default: its own)")
    .option(
      "--platform <os/arch[/variant]>",
      "of an image for several, only what is for it; may be given again (default: all)",
      collect,
    );
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
    printRows(globalOptions(self).format, [{ name, digest: target.digest }], ["name", "digest"]);
  });
}
