import type { Command } from "commander";
import { connect } from "../connection.js";

export function addTagCommand(program: Command): void {
  program
    .command("tag")
    .description("Give an image another name.")
    .argument("<source>")
    .argument("<target>")
    .action(async (source: string, target: string, _flags: object, command: Command) => {
      await using client = await connect(command);
      console.log((await client.images.tag(source, target)).name);
    });
}
