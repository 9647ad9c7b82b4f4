import { stepFileJsonSchema } from "@wfe-containerd/executor";
import type { Command } from "commander";

export function defineSchema(command: Command): void {
  command
    .description("Print the JSON Schema of a step file.")
    .action(() => console.log(JSON.stringify(stepFileJsonSchema(), undefined, 2)));
}
