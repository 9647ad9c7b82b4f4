import { parseDuration } from "@wfe-containerd/executor";
import type { Command } from "commander";
import { connect } from "../connection.js";
import { UsageError } from "../failure.js";
import { globalOptions } from "../global-options.js";
import { confirm, isTerminal, listed } from "../prompt.js";
import { digestColumn, printRows } from "../rows.js";
import { collect } from "../transfer.js";

interface PruneFlags {
  readonly filter?: readonly string[];
  readonly until?: string;
  readonly dryRun?: boolean;
  readonly force?: boolean;
  readonly all?: boolean;
}

const EXAMPLE = `
Examples:
  wfe-containerd prune --dry-run
  wfe-containerd prune -f --until 7d --filter label=team=ci`;

export function definePrune(command: Command): void {
  command
    .description(
      "Remove images that no container uses, and their content that nothing else uses. On a terminal, it asks before.",
    )
    .option(
      "--until <age>",
      "only images that did not change for this time, or since this day: 24h, 2026-01-31",
    )
    .option("--filter <filter>", "until=24h, label=key or label=key=value, as in docker", collect)
    .option("--dry-run", "print what would be removed, but do not remove it")
    .option("-f, --force", "do not ask")
    .option("-a, --all", "no effect, as images with a name are removed, too; accepted because docker has it")
    .addHelpText("after", EXAMPLE)
    .action(async (flags: PruneFlags, command: Command) => {
      const { untils, labels } = parseFilters(flags.filter ?? []);
      const moments = [...untils, ...(flags.until === undefined ? [] : [flags.until])].map(parseMoment);
      await using client = await connect(command);
      const options = {
        until: moments.length === 0 ? undefined : new Date(Math.min(...moments)),
        // containerd requires every part within one filter to match.
        filters: labels.length === 0 ? [] : [labels.join(",")],
      };
      if (flags.force !== true && flags.dryRun !== true && isTerminal()) {
        const names = (await client.images.prune({ ...options, dryRun: true })).map(({ name }) => name);
        if (names.length > 0 && !(await confirm(`This removes ${listed(names)}.`))) return;
      }
      const removed = await client.images.prune({ ...options, dryRun: flags.dryRun });
      const rows = removed.map(({ name, target }) => ({ name, digest: target.digest }));
      await printRows(rows, {
        format: globalOptions(command).format,
        columns: ["name", digestColumn("digest")],
      });
    });
}

function parseFilters(filters: readonly string[]): { untils: string[]; labels: string[] } {
  const untils: string[] = [];
  const labels: string[] = [];
  for (const filter of filters) {
    const [, key, label = "", value] = /^(until|label)=([^=]+)(?:=(.*))?$/s.exec(filter) ?? [];
    if (key === "until" && value === undefined) untils.push(label);
    else if (key === "label")
      labels.push(
        `labels.${JSON.stringify(label)}${value === undefined ? "" : `==${JSON.stringify(value)}`}`,
      );
    else
      throw new UsageError(
        `--filter: ${JSON.stringify(filter)} is an unknown filter; allowed: until=24h, label=key, label=key=value`,
      );
  }
  return { untils, labels };
}

function parseMoment(text: string): number {
  const age = parseDuration(text);
  const moment = age === undefined ? Date.parse(text) : Date.now() - age;
  if (Number.isNaN(moment))
    throw new UsageError(
      `--until: ${JSON.stringify(text)} is neither an age nor a date; allowed: 24h, 30m, 2026-01-31, 2026-01-31T12:00:00Z`,
    );
  return moment;
}
