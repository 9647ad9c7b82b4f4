import { parsePlatform } from "@wfe-containerd/client";
import { type Command, Option } from "commander";
import { connect, globalOptions } from "../connection.js";
import { createProgressView } from "../progress.js";
import { printRows } from "../table.js";

interface PullFlags {
  readonly platform?: string;
  readonly progress: "auto" | "plain" | "json" | "none";
}

export function addPullCommand(program: Command): void {
  program
    .command("pull")
    .description("Bring an image from its registry, and unpack it.")
    .argument("<image>")
    .option("--platform <os/arch[/variant]>", "default: the daemon's own")
    .addOption(
      new Option("--progress <how>", "bars on a terminal, else lines; or JSON lines")
        .choices(["auto", "plain", "json", "none"])
        .default("auto"),
    )
    .action(async (image: string, { platform, progress }: PullFlags, command: Command) => {
      await using client = await connect(command);
      const view = createProgressView(progress, process.stderr);
      const aborted = new AbortController();
      const onSignal = (): void => aborted.abort();
      process.once("SIGINT", onSignal);
      try {
        const pulled = await client.images.pull(image, {
          ...(platform !== undefined && { platform: parsePlatform(platform) }),
          signal: aborted.signal,
          onProgress: view.show,
        });
        view.close();
        printRows(
          globalOptions(command).format,
          [{ name: pulled.name, digest: pulled.target.digest }],
          ["name", "digest"],
        );
      } finally {
        view.close();
        process.off("SIGINT", onSignal);
      }
    });
}
