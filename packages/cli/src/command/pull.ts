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
    .description("Pull an image from its registry, and unpack it.")
    .argument("<image>")
    .option(
      "--platform <os/arch[/variant]>",
      "platform to pull (default: the platform of the daemon's machine)",
    )
    .option("--all-platforms", "pull all platforms, to push or export them")
    .addOption(
      new Option(
        "--via <program>",
        "program that connects to the registry: client (this process) or daemon (containerd 2.0)",
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
    await printRows(globalOptions(self).format, [{ name, digest: target.digest }], ["name", "digest"]);
  });
}
