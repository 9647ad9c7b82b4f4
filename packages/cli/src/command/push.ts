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
    .description("Push an image to its registry.")
    .argument("<image>")
    .option("--as <reference>", "name to push it to (default: the image's own)")
    .option(
      "--platform <os/arch[/variant]>",
      "push only this platform of the image; may be given again (default: all)",
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
    await printRows(globalOptions(self).format, [{ name, digest: target.digest }], ["name", "digest"]);
  });
}
