import type { Client, Image } from "@wfe-containerd/client";
import type { Command } from "commander";
import { answerFlags } from "../answer-flags.js";
import { connect } from "../connection.js";
import { UsageError } from "../failure.js";
import { findImages } from "../image-lookup.js";
import { printableLine } from "../printable.js";

const EXAMPLE = `
Examples:
  wfe-containerd rmi app:1.2 alpine:3.20
  wfe-containerd rmi -f $(wfe-containerd images -q app)     all tags of app`;

export function defineRmi(command: Command): void {
  answerFlags(command, [
    {
      flags: "--no-prune",
      instead: () => "what nothing else needs is always removed with an image; leave the flag out",
    },
  ]);
  command
    .description("Remove images, and their content that nothing else uses.")
    .argument("<image...>", "name, or beginning of a digest")
    .option("-f, --force", "remove images that containers use, too; the containers keep what they need")
    .addHelpText("after", EXAMPLE)
    .action(async (names: string[], { force = false }: { force?: boolean }, command: Command) => {
      await using client = await connect(command);
      // Every name is looked up before the first image is removed.
      const images = (await Promise.all(names.map((name) => named(client, name, force)))).flat();
      if (!force) await refuseUsed(client, new Set(images.map(({ name }) => name)));
      for (const [at, image] of images.entries()) {
        // Only the last removal waits for garbage collection; one collection covers all.
        await client.images.remove(image, { sync: at === images.length - 1 });
        console.log(printableLine(image.name));
      }
    });
}

/** As in docker, a digest removes all names of its image only with --force. */
async function named(client: Client, word: string, force: boolean): Promise<readonly Image[]> {
  const images = await findImages(client, word);
  if (images.length === 0) return [await client.images.get(word)];
  if (images.length === 1 || force) return images;
  const others = images.map(({ name }) => name).join(", ");
  throw new UsageError(
    `${word} is an image with ${images.length} names: ${others}; give one of them, or --force to remove all`,
  );
}

async function refuseUsed(client: Client, names: ReadonlySet<string>): Promise<void> {
  const used = (await client.containers.list()).filter(({ image }) => names.has(image));
  if (used.length === 0) return;
  const lines = [...new Set(used.map(({ image }) => image))].map((name) => {
    const ids = used.filter(({ image }) => image === name).map(({ id }) => id);
    return `${name} by ${ids.join(", ")}`;
  });
  throw new UsageError(
    `in use: ${lines.join("; ")}; remove the steps with rm, or use --force to remove only the image's name`,
  );
}
