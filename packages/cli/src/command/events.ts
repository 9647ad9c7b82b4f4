import type { Client } from "@wfe-containerd/client";
import { listSteps, parseDuration } from "@wfe-containerd/executor";
import type { Command } from "commander";
import { answerFlags } from "../answer-flags.js";
import { connect } from "../connection.js";
import { eventLine, parseEventFilters, toEventRow } from "../event-row.js";
import { UsageError } from "../failure.js";
import { globalOptions } from "../global-options.js";
import { writeOutput } from "../output.js";
import { printableLine, toJsonLine } from "../printable.js";
import { formatRows, type Row } from "../rows.js";
import { findStep } from "../step-lookup.js";
import { collect } from "../transfer.js";

interface EventsFlags {
  readonly filter?: readonly string[];
  readonly until?: string;
}

const EXAMPLE = `
Examples:
  wfe-containerd events                                             until Ctrl-C
  wfe-containerd events --filter type=container --filter event=exit
  wfe-containerd events --filter container=build --until 5m --format json

containerd keeps no events: only those that come from now on are printed.`;

const NO_PAST =
  "containerd keeps no events, so only those that come from now on are printed; leave the flag out";

export function defineEvents(command: Command): void {
  answerFlags(command, [{ flags: "--since <time>", instead: () => NO_PAST }]);
  command
    .description("Print what happens on the daemon, in this namespace, until Ctrl-C.")
    .option(
      "-f, --filter <key=value>",
      "type=, event=, container= (a step), image=, label= or topic=; may be given again",
      collect,
    )
    .option("--until <duration>", "end after this time: 30s, 5m")
    .addHelpText("after", EXAMPLE)
    .action(async ({ filter = [], until }: EventsFlags, self: Command) => {
      const signal = until === undefined ? undefined : AbortSignal.timeout(parseUntil(until));
      await using client = await connect(self);
      const isWanted = parseEventFilters(await resolveSteps(client, filter));
      const { format } = globalOptions(self);
      for await (const event of client.events.subscribe({ signal })) {
        const row = toEventRow(event);
        if (isWanted(row)) await writeOutput(process.stdout, `${await lineOf(row, format)}\n`);
      }
    });
}

async function lineOf(row: ReturnType<typeof toEventRow>, format: string): Promise<string> {
  if (format === "table") return printableLine(eventLine(row));
  if (format === "json") return toJsonLine(row);
  const lines = await formatRows([row], { format, columns: COLUMNS, aliases: ALIASES });
  return lines.join("\n");
}

const COLUMNS = ["time", "type", "event", "id", "topic", "attributes"];

/** docker's names. */
const ALIASES: Readonly<Record<string, (row: Row) => unknown>> = {
  Action: ({ event }) => event,
  Status: ({ event }) => event,
  Actor: ({ id, attributes }) => ({ ID: id, Attributes: attributes }),
  From: ({ attributes }) => (attributes as { image?: string }).image ?? "",
};

/** Events name a step by its id. */
async function resolveSteps(client: Client, filters: readonly string[]): Promise<readonly string[]> {
  if (!filters.some((filter) => filter.startsWith("container="))) return filters;
  const steps = await listSteps(client);
  return filters.map((filter) => {
    const [key, word = ""] = filter.split(/=(.*)/s);
    const isNamed = steps.some(({ name }) => name === word);
    return key === "container" && isNamed ? `container=${findStep(word, steps).id}` : filter;
  });
}

function parseUntil(text: string): number {
  const ms = parseDuration(text);
  if (ms !== undefined) return ms;
  throw new UsageError(`--until: ${JSON.stringify(text)} is not a duration; allowed: 30s, 5m, 1h30m`);
}
