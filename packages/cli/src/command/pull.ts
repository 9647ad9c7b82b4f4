import { parsePlatform } from "@wfe-containerd/client";
import { type Command, Option } from "commander";
import { connect } from "../connection.js";
import { globalOptions } from "../global-options.js";
import { printableLine } from "../printable.js";
import { digestColumn, printRows } from "../rows.js";
import { addTransferFlags, registryOptions, type TransferFlags, transfer } from "../transfer.js";

interface PullFlags extends Omit<TransferFlags, "platform"> {
  readonly platform?: string;
  readonly allPlatforms?: boolean;
  readonly via: "client" | "daemon";
}

const EXAMPLE = `
Examples:
  wfe-containerd pull alpine:3.20
  wfe-containerd pull --platform linux/arm64 alpine:3.20
  wfe-containerd pull --all-platforms registry.example.com/app:1.2      to push or export it`;

export function definePull(command: Command): void {
  command
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
    )
    .addHelpText("after", EXAMPLE);
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
    if (flags.quiet === true) return console.log(printableLine(name));
    await printRows([{ name, digest: target.digest }], {
      format: globalOptions(self).format,
      columns: ["name", digestColumn("digest")],
    });
  });
}
