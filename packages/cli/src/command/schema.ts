import { stepFileJsonSchema } from "@wfe-containerd/executor";
import type { Command } from "commander";

export function addSchemaCommand(program: Command): void {
  program
    .command("schema")
    .description("Print the JSON Schema of a step file.")
    .action(() => console.log(JSON.stringify(stepFileJsonSchema(), undefined, 2)));
}
