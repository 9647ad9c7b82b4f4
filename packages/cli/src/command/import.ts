import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { isContainerdError } from "@wfe-containerd/client";
import type { Command } from "commander";
import { connect, globalOptions } from "../connection.js";
import { fileProblem, UsageError } from "../failure.js";
import { printRows } from "../table.js";

interface ImportFlags {
  readonly name?: string;
  readonly baseName?: string;
  readonly unpack: boolean;
}

export function addImportCommand(program: Command): void {
  program
    .command("import")
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
    .action(async (file: string, flags: ImportFlags, command: Command) => {
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
      const { name, baseName, unpack } = flags;
      const images = await client.images.import(source, { name, baseName, unpack }).catch(inFlags);
      const rows = images.map(({ name, target }) => ({ name, digest: target.digest }));
      await printRows(globalOptions(command).format, rows, ["name", "digest"]);
    });
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
