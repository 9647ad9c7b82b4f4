import type { Command } from "commander";
import { connect } from "../connection.js";
import { findImage } from "../image-lookup.js";

const EXAMPLE = `
Example:
  wfe-containerd tag app:1.2 registry.example.com/app:1.2`;

export function defineTag(command: Command): void {
  command
    .description("Give an image another name.")
    .argument("<source>")
    .argument("<target>")
    .addHelpText("after", EXAMPLE)
    .action(async (source: string, target: string, _flags: object, command: Command) => {
      await using client = await connect(command);
      console.log((await client.images.tag(await findImage(client, source), target)).name);
    });
}
