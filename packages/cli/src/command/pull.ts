import { parsePlatform } from "@wfe-containerd/client";
import { type Command, Option } from "commander";
import { connect, globalOptions } from "../connection.js";
import { printRows } from "../table.js";
import { addTransferFlags, registryOptions, type TransferFlags, transfer } from "../transfer.js";

interface PullFlags extends Omit<TransferFlags, "platform"> {
  readonly platform?: string;
  readonly allPlatforms?: boolean;
  readonly via: "client" | "daemon";
}

export function addPullCommand(program: Command): void {
  const command = program
    .command("pull")
    .description("Bring an image from its registry, and unpack it.")
    .argument("<image>")
    .option("--platform <os/arch[/variant]>", "default: the daemon's own")
    .option("--all-platforms", "bring what is for other platforms too, to be pushed or exported")
    .addOption(
      new Option(
        "--via <who>",
        "who speaks with the registry: this machine, or the daemon's (containerd 2.0)",
      )
        .choices(["client", "daemon"])
        .default("client"),
    );
  addTransferFlags(command).action(async (image: string, flags: PullFlags, self: Command) => {
    await using client = await connect(self);
    const { platform, allPlatforms = false, via } = flags;
    const { name, target } = await transfer(flags, (options) =>
      client.images.pull(image, {
        ...options,
        ...registryOptions(flags),
        via,
        platforms: allPlatforms ? "all" : undefined,
        ...(platform !== undefined && { platform: parsePlatform(platform) }),
      }),
    );
    printRows(globalOptions(self).format, [{ name, digest: target.digest }], ["name", "digest"]);
  });
}
