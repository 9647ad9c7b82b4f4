import { stepFileJsonSchema } from "@wfe-containerd/executor";
import type { Command } from "commander";

const EXAMPLE = `
Example:
  wfe-containerd schema > step-file.json`;

export function defineSchema(command: Command): void {
  command
    .description("Print the JSON Schema of a step file.")
    .addHelpText("after", EXAMPLE)
    .action(() => console.log(JSON.stringify(stepFileJsonSchema(), undefined, 2)));
}
