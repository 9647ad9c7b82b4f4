import { isContainerdError } from "@wfe-containerd/client";
import {
  isExecutorError,
  listVolumes,
  parseDuration,
  parseSize,
  pruneVolumes,
  removeVolume,
} from "@wfe-containerd/executor";
import type { Command } from "commander";
import { connect } from "../connection.js";
import { UsageError } from "../failure.js";
import { globalOptions } from "../global-options.js";
import { printableLine } from "../printable.js";
import { confirm, isTerminal, listed } from "../prompt.js";
import { type Column, momentColumn, printRows } from "../rows.js";
import { formatBytes, shortStepId } from "../table.js";

interface PruneFlags {
  readonly all?: boolean;
  readonly unused?: string;
  readonly maxSize?: string;
  readonly dryRun?: boolean;
  readonly force?: boolean;
}

const LIST_EXAMPLE = `
Examples:
  wfe-containerd volume ls
  wfe-containerd volume ls --format name,size`;

const REMOVE_EXAMPLE = `
Example:
  wfe-containerd volume rm npm-cache`;

const PRUNE_EXAMPLE = `
Examples:
  wfe-containerd volume prune --unused 30d
  wfe-containerd volume prune -f --all --max-size 10g`;

export function defineVolume(volume: Command): void {
  volume.helpCommand(false);
  volume.description("Manage volumes and caches: directories that steps keep on the daemon's machine.");
  volume
    .command("ls")
    .description("List volumes and caches, with their size and the steps that use them.")
    .option("-q, --quiet", "print only the names")
    .addHelpText("after", LIST_EXAMPLE)
    .action(async ({ quiet = false }: { quiet?: boolean }, command: Command) => {
      await using client = await connect(command);
      const rows = (await listVolumes(client)).map(({ name, kind, sizeBytes, usedAt, usedBy }) => ({
        name,
        kind,
        size: sizeBytes,
        used: usedAt.toISOString(),
        by: usedBy.join(" "),
      }));
      if (quiet) {
        for (const { name } of rows) console.log(printableLine(name));
        return;
      }
      await printRows(rows, {
        format: globalOptions(command).format,
        columns: ["name", "kind", { name: "size", show: formatBytes }, momentColumn("used"), BY_COLUMN],
      });
    });
  volume
    .command("rm")
    .description("Remove volumes or caches, with everything in them.")
    .argument("<name...>")
    .option("-f, --force", "a volume that is not there is no failure")
    .addHelpText("after", REMOVE_EXAMPLE)
    .action(async (names: string[], { force = false }: { force?: boolean }, command: Command) => {
      await using client = await connect(command);
      for (const name of names) {
        try {
          await removeVolume(client, name);
        } catch (reason) {
          if (!force || !isMissing(reason)) throw reason;
        }
        console.log(printableLine(name));
      }
    });
  volume
    .command("prune")
    .description("Remove caches that no step uses. On a terminal, it asks before.")
    .option("--all", "remove volumes too")
    .option("--unused <duration>", "only those that no step has used for this time: 24h")
    .option("--max-size <size>", "remove the least recently used until the rest is at most this large: 10g")
    .option("--dry-run", "print what would be removed, but do not remove it")
    .option("-f, --force", "do not ask")
    .addHelpText("after", PRUNE_EXAMPLE)
    .action(async ({ all, unused, maxSize, dryRun, force }: PruneFlags, command: Command) => {
      const unusedForMs = read("--unused", unused, parseDuration, "30s, 24h, 7d");
      const maxBytes = read("--max-size", maxSize, parseSize, "512m, 10g");
      await using client = await connect(command);
      const kinds = all === true ? (["cache", "volume"] as const) : (["cache"] as const);
      const options = { kinds, unusedForMs, maxBytes };
      if (force !== true && dryRun !== true && isTerminal()) {
        const names = (await pruneVolumes(client, { ...options, dryRun: true })).map(({ name }) => name);
        if (names.length > 0 && !(await confirm(`This removes ${listed(names)}.`))) return;
      }
      for (const { name } of await pruneVolumes(client, { ...options, dryRun }))
        console.log(printableLine(name));
    });
}

function isMissing(reason: unknown): boolean {
  return isExecutorError(reason) && isContainerdError(reason.cause, "not-found");
}

/** The steps that use a volume. */
const BY_COLUMN: Column = {
  name: "by",
  shorten: (text) => text.split(" ").map(shortStepId).join(" "),
};

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
