import type { Command } from "commander";
import { connect } from "../connection.js";
import { findImage } from "../image-lookup.js";

export function defineTag(command: Command): void {
  command
    .description("Give an image another name.")
    .argument("<source>")
    .argument("<target>")
    .action(async (source: string, target: string, _flags: object, command: Command) => {
      await using client = await connect(command);
      console.log((await client.images.tag(await findImage(client, source), target)).name);
    });
}
