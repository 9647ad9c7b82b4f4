import type { Client } from "@wfe-containerd/client";
import type { Command } from "commander";
import { connect } from "../connection.js";
import { UsageError } from "../failure.js";
import { printableLine } from "../printable.js";

export function addRmiCommand(program: Command): void {
  program
    .command("rmi")
    .description("Remove images, and their content that nothing else uses.")
    .argument("<image...>")
    .option("-f, --force", "remove images that containers use, too; the containers keep what they need")
    .action(async (names: string[], { force = false }: { force?: boolean }, command: Command) => {
      await using client = await connect(command);
      // Every name is looked up before the first image is removed.
      const images = await Promise.all(names.map((name) => client.images.get(name)));
      if (!force) await refuseUsed(client, new Set(images.map(({ name }) => name)));
      for (const [at, image] of images.entries()) {
        // Only the last removal waits for garbage collection; one collection covers all.
        await client.images.remove(image, { sync: at === images.length - 1 });
        console.log(printableLine(image.name));
      }
    });
}

async function refuseUsed(client: Client, names: ReadonlySet<string>): Promise<void> {
  const used = (await client.containers.list()).filter(({ image }) => names.has(image));
  if (used.length === 0) return;
  const lines = used.map(({ id, image }) => `${image} by ${id}`);
  throw new UsageError(
    `in use: ${lines.join(", ")}; remove the steps with rm, or use --force to remove only the image's name`,
  );
}
