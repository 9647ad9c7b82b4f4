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
import { isImageProblem } from "../image-problem.js";
import { formatBytes, printRows } from "../table.js";

export function addImagesCommand(program: Command): void {
  program
    .command("images")
    .description(
      "List the images of the namespace with their sizes. Content that images share counts for each. For an image that cannot be run, the reason is shown.",
    )
    .action(async (_flags: object, command: Command) => {
      await using client = await connect(command);
      const { format } = globalOptions(command);
      const images = (await client.images.list()).toSorted((a, b) => a.name.localeCompare(b.name));
      const all = new Set(images.map(({ name }) => name));
      const rows = await Promise.all(
        images.map((image) => toRow(client, image, shortName(image.name, all), format)),
      );
      const present = rows.filter((row) => row !== undefined);
      const hasProblem = present.some((row) => row["problem"] !== undefined);
      await printRows(format, present, [...HEADINGS, ...(hasProblem ? ["problem"] : [])]);
    });
}

const HEADINGS = ["name", "digest", "packed", "unpacked", "created"];

/** Returns undefined for an image that was removed meanwhile. A broken image's row says what is wrong. */
async function toRow(
  client: Client,
  image: Image,
  name: string,
  format: "table" | "json",
): Promise<Record<string, string | number> | undefined> {
  const show = (bytes: number): string | number => (format === "json" ? bytes : formatBytes(bytes));
  const row = { name, digest: image.target.digest, created: image.createdAt.toISOString() };
  try {
    const { contentBytes, snapshotBytes, problems } = await client.images.usage(image);
    return {
      ...row,
      packed: show(contentBytes),
      unpacked: show(snapshotBytes),
      ...(problems.length > 0 && { problem: problems.join("; ") }),
    };
  } catch (reason) {
    if (isContainerdError(reason, "not-found")) return undefined;
    // Not about this image: for example, the daemon is unavailable or the caller aborted.
    if (!isImageProblem(reason)) throw reason;
    return { ...row, problem: reason.message };
  }
}

/** Shortens a name if the short form leads to this image. It may not: other clients store any name. */
function shortName(name: string, all: ReadonlySet<string>): string {
  try {
    const reference = parseReference(name);
    const short = familiarReference(reference);
    return formatReference(reference) === name && !all.has(short) ? short : name;
  } catch {
    return name;
  }
}
