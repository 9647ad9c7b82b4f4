import { type Client, type Image, isContainerdError } from "@wfe-containerd/client";
import type { Command } from "commander";
import { connect } from "../connection.js";
import { globalOptions } from "../global-options.js";
import { parseImageFilters } from "../image-filter.js";
import { isImageProblem } from "../image-problem.js";
import { printableLine } from "../printable.js";
import { type Column, digestColumn, momentColumn, printRows, type Row } from "../rows.js";
import { shortName } from "../short-name.js";
import { formatBytes, shortDigest } from "../table.js";
import { collect } from "../transfer.js";

interface ImagesFlags {
  readonly quiet?: boolean;
  readonly digests?: boolean;
  readonly trunc: boolean;
  readonly filter?: readonly string[];
}

const EXAMPLE = `
Examples:
  wfe-containerd images alpine                 all tags of alpine
  wfe-containerd images -q --filter label=team=ci
  wfe-containerd images --format '{{.Repository}}:{{.Tag}} {{.Size}}'`;

export function defineImages(command: Command): void {
  command
    .description(
      "List the images of the namespace with their sizes. Content that images share counts for each. For an image that cannot be run, the reason is shown.",
    )
    .argument("[name]", "only images with this name, or name and tag; * stands for any characters")
    .option("-q, --quiet", "print only the digests")
    .option("--digests", "print whole digests")
    .option("--no-trunc", "do not shorten what does not fit the terminal")
    .option("-a, --all", "no effect, as containerd has no hidden images; accepted because docker has it")
    .option("-f, --filter <key=value>", "reference=NAME or label=KEY[=VALUE]; may be given again", collect)
    .addHelpText("after", EXAMPLE)
    .action(async (name: string | undefined, flags: ImagesFlags, self: Command) => {
      const isWanted = parseImageFilters([
        ...(flags.filter ?? []),
        ...(name === undefined ? [] : [`reference=${name}`]),
      ]);
      await using client = await connect(self);
      const all = (await client.images.list()).toSorted((a, b) => a.name.localeCompare(b.name));
      const names = new Set(all.map((image) => image.name));
      const shown = all
        .map((image) => ({ image, short: shortName(image.name, names) }))
        .filter(({ image, short }) => isWanted(image, short));
      if (flags.quiet === true) return printDigests(shown, flags.trunc);
      const rows = await Promise.all(shown.map(({ image, short }) => toRow(client, image, short)));
      const present = rows.filter((row) => row !== undefined);
      const hasProblem = present.some((row) => row["problem"] !== undefined);
      await printRows(present, {
        format: globalOptions(self).format,
        noTrunc: !flags.trunc,
        columns: [...columns(flags.digests === true), ...(hasProblem ? ["problem"] : [])],
        aliases: ALIASES,
      });
    });
}

/** As docker: 12 digits of each digest, and each image once. */
function printDigests(shown: readonly { readonly image: Image }[], isShort: boolean): void {
  const digests = new Set(shown.map(({ image }) => image.target.digest));
  for (const digest of digests)
    console.log(printableLine(isShort ? shortDigest(digest).replace(/^sha256:/, "") : digest));
}

function columns(wholeDigests: boolean): readonly Column[] {
  return [
    { name: "name" },
    wholeDigests ? { name: "digest", isFixed: true } : digestColumn("digest"),
    { name: "packed", show: formatBytes, isFixed: true },
    { name: "unpacked", show: formatBytes, isFixed: true },
    momentColumn("created"),
  ];
}

/** docker's names. */
const ALIASES: Readonly<Record<string, (row: Row) => unknown>> = {
  ID: ({ digest }) => String(digest),
  Repository: ({ name }) => splitName(String(name))[0],
  Tag: ({ name }) => splitName(String(name))[1],
  Size: ({ unpacked }) => (typeof unpacked === "number" ? formatBytes(unpacked) : ""),
  CreatedAt: ({ created }) => created,
};

/** A name is shown without its tag if that is latest. A name with a digest has no tag. */
function splitName(name: string): readonly [string, string] {
  const [, repository = name, tag] = /^([^@]*?)(?::([^/:@]+))?(?:@.*)?$/.exec(name) ?? [];
  return [repository, tag ?? (name.includes("@") ? "<none>" : "latest")];
}

/** Returns undefined for an image that was removed meanwhile. A broken image's row says what is wrong. */
async function toRow(client: Client, image: Image, name: string): Promise<Row | undefined> {
  const row = { name, digest: image.target.digest, created: image.createdAt.toISOString() };
  try {
    const { contentBytes, snapshotBytes, problems } = await client.images.usage(image);
    return {
      ...row,
      packed: contentBytes,
      unpacked: snapshotBytes,
      ...(problems.length > 0 && { problem: problems.join("; ") }),
    };
  } catch (reason) {
    if (isContainerdError(reason, "not-found")) return undefined;
    // Not about this image: for example, the daemon is unavailable or the caller aborted.
    if (!isImageProblem(reason)) throw reason;
    return { ...row, problem: reason.message };
  }
}
