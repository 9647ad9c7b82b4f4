import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { type Image, isContainerdError } from "@wfe-containerd/client";
import type { Command } from "commander";
import { connect } from "../connection.js";
import { fileProblem, UsageError } from "../failure.js";
import { globalOptions } from "../global-options.js";
import { digestColumn, printRows } from "../rows.js";

interface ImportFlags {
  readonly name?: string;
  readonly baseName?: string;
  readonly unpack: boolean;
}

const EXAMPLE = `
Examples:
  wfe-containerd import app.tar
  wfe-containerd import --name app:1.2 image.tar
  docker save app:1.2 | wfe-containerd import -`;

export function defineImport(command: Command): void {
  command
    .description(
      "Import the images of an archive: an OCI layout or an archive of docker save, as a tar, compressed or not.",
    )
    .argument("<file>", "- for standard input")
    .option("--name <reference>", "name for the image, if the archive contains one image")
    .option(
      "--base-name <name>",
      "name to put before a tag without a name: registry.example.com/app turns 1.0 into registry.example.com/app:1.0",
    )
    .option("--no-unpack", "do not unpack the images")
    .addHelpText("after", EXAMPLE)
    .action(async (file: string, flags: ImportFlags, self: Command) => {
      const rows = (await readArchive(file, flags, self)).map(({ name, target }) => ({
        name,
        digest: target.digest,
      }));
      await printRows(rows, {
        format: globalOptions(self).format,
        columns: ["name", digestColumn("digest")],
      });
    });
}

/**
 * Imports the images of a file, or with `-` of standard input.
 *
 * @throws UsageError if the file cannot be read, or a flag does not fit the archive.
 */
export async function readArchive(
  file: string,
  { name, baseName, unpack }: Partial<ImportFlags>,
  command: Command,
): Promise<readonly Image[]> {
  if (file !== "-") {
    const found = await stat(file).catch((cause: unknown) => {
      throw new UsageError(`cannot read ${file}: ${fileProblem(cause)}`, { cause });
    });
    if (found.isDirectory())
      throw new UsageError(
        `${file} is a directory; allowed: a tar archive, for example made by: tar -C ${file} -cf image.tar .`,
      );
  }
  await using client = await connect(command);
  const source = file === "-" ? process.stdin : createReadStream(file);
  return await client.images.import(source, { name, baseName, unpack }).catch(inFlags);
}

/** The user typed flags, so the message names flags instead of the client's options. */
function inFlags(reason: unknown): never {
  if (!isContainerdError(reason, "invalid-argument")) throw reason;
  const message = reason.message
    .replaceAll(/\bbaseName\b/g, "--base-name")
    .replace(/^name(?= is missing|:| and)/, "--name")
    .replace("; or name, for", "; or --name, for");
  throw new UsageError(message, { cause: reason });
}
