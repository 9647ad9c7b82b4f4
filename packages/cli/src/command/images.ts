import {
  type Client,
  familiarReference,
  formatReference,
  type Image,
  isContainerdError,
  parseReference,
} from "@wfe-containerd/client";
import type { Command } from "commander";
import { connect, globalOptions } from "../connection.js";
import { formatBytes, printRows } from "../table.js";

export function addImagesCommand(program: Command): void {
  program
    .command("images")
    .description("List the images of the namespace, and what they take; what several share counts for each.")
    .action(async (_flags: object, command: Command) => {
      await using client = await connect(command);
      const { format } = globalOptions(command);
      const images = (await client.images.list()).toSorted((a, b) => a.name.localeCompare(b.name));
      const all = new Set(images.map(({ name }) => name));
      const rows = await Promise.all(
        images.map((image) => toRow(client, image, shortName(image.name, all), format)),
      );
      const present = rows.filter((row) => row !== undefined);
      printRows(format, present, ["name", "digest", "packed", "unpacked", "created"]);
    });
}

async function toRow(
  client: Client,
  image: Image,
  name: string,
  format: "table" | "json",
): Promise<Record<string, string | number> | undefined> {
  const usage = await client.images.usage(image).catch((reason: unknown) => {
    // It was removed meanwhile.
    if (isContainerdError(reason, "not-found")) return undefined;
    throw reason;
  });
  if (usage === undefined) return undefined;
  const show = (bytes: number): string | number => (format === "json" ? bytes : formatBytes(bytes));
  return {
    name,
    digest: image.target.digest,
    packed: show(usage.contentBytes),
    unpacked: show(usage.snapshotBytes),
    created: image.createdAt.toISOString(),
  };
}

/** Short where that leads back to this image: other clients name theirs as they please, in short form too. */
function shortName(name: string, all: ReadonlySet<string>): string {
  try {
    const reference = parseReference(name);
    const short = familiarReference(reference);
    return formatReference(reference) === name && !all.has(short) ? short : name;
  } catch {
    return name;
  }
}
