import { familiarReference, parseReference } from "@wfe-containerd/client";
import type { Command } from "commander";
import { connect, globalOptions } from "../connection.js";
import { printRows } from "../table.js";

export function addImagesCommand(program: Command): void {
  program
    .command("images")
    .description("List the images of the namespace.")
    .action(async (_flags: object, command: Command) => {
      await using client = await connect(command);
      const images = await client.images.list();
      const rows = images
        .map(({ name, target, createdAt }) => ({
          name: shortName(name),
          digest: target.digest,
          created: createdAt.toISOString(),
        }))
        .toSorted((a, b) => a.name.localeCompare(b.name));
      printRows(globalOptions(command).format, rows, ["name", "digest", "created"]);
    });
}

/** Other clients may give names that are no references. */
function shortName(name: string): string {
  try {
    const reference = parseReference(name);
    return familiarReference(reference);
  } catch {
    return name;
  }
}
