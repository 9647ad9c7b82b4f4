import { type Command, Option } from "commander";
import { connect } from "../connection.js";
import { globalOptions } from "../global-options.js";
import { toHistory } from "../image-history.js";
import { findImage } from "../image-lookup.js";
import { type Column, momentColumn, printRows, type Row } from "../rows.js";
import { formatBytes } from "../table.js";

/** As for any config of an image. */
const MAX_CONFIG_BYTES = 4 * 1024 * 1024;

const EXAMPLE = `
Example:
  wfe-containerd history --no-trunc alpine:3.20`;

export function defineHistory(command: Command): void {
  command
    .description(
      "Show how an image was built, the newest step first, with the packed size of the layer that the step made.",
    )
    .argument("<image>", "name or beginning of a digest")
    .option("--no-trunc", "do not shorten what does not fit the terminal")
    .option("-q, --quiet", "print only the digests of the layers")
    .addOption(new Option("-H, --human").hideHelp())
    .addHelpText("after", EXAMPLE)
    .action(async (name: string, flags: { trunc: boolean; quiet?: boolean }, self: Command) => {
      await using client = await connect(self);
      const image = await client.images.resolve(await findImage(client, name));
      const bytes = await client.content.readAll(image.configDescriptor.digest, {
        maxBytes: MAX_CONFIG_BYTES,
      });
      const { history } = JSON.parse(Buffer.from(bytes).toString("utf8")) as { history?: unknown };
      const rows = toHistory(history, image.layers);
      if (flags.quiet === true) {
        for (const { layer } of rows) console.log(layer === "" ? "<none>" : layer);
        return;
      }
      const { format } = globalOptions(self);
      await printRows(rows, { format, noTrunc: !flags.trunc, columns: COLUMNS, aliases: ALIASES });
    });
}

const COLUMNS: readonly Column[] = [
  { ...momentColumn("created"), isFixed: true },
  { name: "createdBy", heading: "created by" },
  { name: "size", show: formatBytes, isFixed: true },
  { name: "comment" },
];

/** docker's names. */
const ALIASES: Readonly<Record<string, (row: Row) => unknown>> = {
  ID: ({ layer }) => layer,
  CreatedAt: ({ created }) => created,
};
