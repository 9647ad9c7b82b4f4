import { listVolumes, parseDuration, parseSize, pruneVolumes, removeVolume } from "@wfe-containerd/executor";
import type { Command } from "commander";
import { connect, globalOptions } from "../connection.js";
import { UsageError } from "../failure.js";
import { printableLine } from "../printable.js";
import { formatBytes, printRows } from "../table.js";

interface PruneFlags {
  readonly all?: boolean;
  readonly unused?: string;
  readonly maxSize?: string;
  readonly dryRun?: boolean;
}

export function addVolumeCommand(program: Command): void {
  const volume = program
    .command("volume")
    .description("Manage volumes and caches: directories that steps keep on the daemon's machine.");
  volume
    .command("ls")
    .description("List volumes and caches, with their size and the steps that use them.")
    .action(async (_flags: object, command: Command) => {
      await using client = await connect(command);
      const { format } = globalOptions(command);
      const rows = (await listVolumes(client)).map(({ name, kind, sizeBytes, usedAt, usedBy }) => ({
        name,
        kind,
        size: format === "json" ? sizeBytes : formatBytes(sizeBytes),
        used: usedAt.toISOString(),
        by: usedBy.join(" "),
      }));
      await printRows(format, rows, ["name", "kind", "size", "used", "by"]);
    });
  volume
    .command("rm")
    .description("Remove volumes or caches, with everything in them.")
    .argument("<name...>")
    .action(async (names: string[], _flags: object, command: Command) => {
      await using client = await connect(command);
      for (const name of names) {
        await removeVolume(client, name);
        console.log(name);
      }
    });
  volume
    .command("prune")
    .description("Remove caches that no step uses.")
    .option("--all", "remove volumes too")
    .option("--unused <duration>", "only those that no step has used for this time: 24h")
    .option("--max-size <size>", "remove the least recently used until the rest is at most this large: 10g")
    .option("--dry-run", "print what would be removed, but do not remove it")
    .action(async ({ all, unused, maxSize, dryRun }: PruneFlags, command: Command) => {
      const unusedForMs = read("--unused", unused, parseDuration, "30s, 24h, 7d");
      const maxBytes = read("--max-size", maxSize, parseSize, "512m, 10g");
      await using client = await connect(command);
      const kinds = all === true ? (["cache", "volume"] as const) : (["cache"] as const);
      for (const { name } of await pruneVolumes(client, { kinds, unusedForMs, maxBytes, dryRun }))
        console.log(printableLine(name));
    });
}

function read(
  flag: string,
  text: string | undefined,
  parse: (text: string) => number | undefined,
  allowed: string,
): number | undefined {
  if (text === undefined) return undefined;
  const value = parse(text);
  if (value === undefined)
    throw new UsageError(`${flag}: ${JSON.stringify(text)} is not valid; allowed: ${allowed}`);
  return value;
}
