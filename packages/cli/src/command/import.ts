import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import type { Command } from "commander";
import { connect, globalOptions } from "../connection.js";
import { UsageError } from "../failure.js";
import { printRows } from "../table.js";

export function addImportCommand(program: Command): void {
  program
    .command("import")
    .description(
      "Bring in the images of an archive: an OCI layout, or docker save's; as a tar, gzipped or not.",
    )
    .argument("<file>", "- for standard input")
    .option("--name <reference>", "the image's name, for an archive of one")
    .option("--no-unpack", "do not unpack yet")
    .action(async (file: string, flags: { name?: string; unpack: boolean }, command: Command) => {
      if (file !== "-") {
        await stat(file).catch((cause: unknown) => {
          throw new UsageError(`cannot read ${file}: ${(cause as NodeJS.ErrnoException).code}`, { cause });
        });
      }
      await using client = await connect(command);
      const source = file === "-" ? process.stdin : createReadStream(file);
      const images = await client.images.import(source, { name: flags.name, unpack: flags.unpack });
      const rows = images.map(({ name, target }) => ({ name, digest: target.digest }));
      printRows(globalOptions(command).format, rows, ["name", "digest"]);
    });
}
