import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { parsePlatform } from "@wfe-containerd/client";
import type { Command } from "commander";
import { connect } from "../connection.js";
import { UsageError } from "../failure.js";
import { findImage } from "../image-lookup.js";

const EXAMPLE = `
Examples:
  wfe-containerd export app.tar app:1.2 alpine:3.20
  wfe-containerd export --platform linux/arm64 app.tar app:1.2
  wfe-containerd export - app:1.2 | gzip > app.tar.gz`;

export function defineExport(command: Command): void {
  command
    .description("Write images as an OCI layout in a tar, which `import` and other tools read.")
    .argument("<file>", "- for standard output")
    .argument("<image...>")
    .option(
      "--platform <platform>",
      "export only this platform: linux/arm64; may be given again (default: every platform that is present)",
      (platform: string, others: string[] = []) => [...others, platform],
    )
    .addHelpText("after", EXAMPLE)
    .action(async (file: string, names: string[], flags: { platform?: string[] }, self: Command) => {
      await writeArchive(file, names, flags.platform, self);
    });
}

/**
 * Writes images to a file, or with `-` to standard output.
 *
 * @throws UsageError if that is a terminal.
 */
export async function writeArchive(
  file: string,
  names: readonly string[],
  platforms: readonly string[] | undefined,
  command: Command,
): Promise<void> {
  if (file === "-" && process.stdout.isTTY)
    throw new UsageError("standard output is a terminal; give a file, or redirect the output");
  await using client = await connect(command);
  const images = await Promise.all(names.map((name) => findImage(client, name)));
  const archive = client.images.export(images, { platforms: platforms?.map(parsePlatform) });
  if (file === "-") await pipeline(archive, process.stdout, { end: false });
  else await writeFile(file, archive);
}

/** Writes all of the archive or nothing. The file never holds half of an archive under its final name. */
async function writeFile(file: string, archive: AsyncIterable<Uint8Array>): Promise<void> {
  const partial = `${file}.part-${process.pid}`;
  try {
    await pipeline(archive, createWriteStream(partial, { flags: "wx" }));
    await rename(partial, file);
  } catch (reason) {
    await rm(partial, { force: true }).catch(() => undefined);
    throw reason;
  }
}
