import { listSteps } from "@wfe-containerd/executor";
import type { Command } from "commander";
import { answerFlags, SIZE_FLAG } from "../answer-flags.js";
import { connect } from "../connection.js";
import { UsageError } from "../failure.js";
import { globalOptions } from "../global-options.js";
import { printableLine } from "../printable.js";
import { parseStepFilters } from "../step-filter.js";
import { printSteps } from "../step-rows.js";
import { isAlive } from "../steps.js";
import { collect } from "../transfer.js";

interface PsFlags {
  readonly all?: boolean;
  readonly quiet?: boolean;
  readonly latest?: boolean;
  readonly last?: string;
  readonly trunc: boolean;
  readonly filter?: readonly string[];
}

const EXAMPLE = `
Examples:
  wfe-containerd ps -a                          also steps whose process has ended
  wfe-containerd ps -q --filter name=build
  wfe-containerd ps --format 'table {{.ID}}\\t{{.Names}}\\t{{.Status}}'
  wfe-containerd rm $(wfe-containerd ps -aq)    remove all steps`;

export function definePs(command: Command): void {
  answerFlags(command, [SIZE_FLAG]);
  command
    .description("List the running steps; with --all also those that a dead process left behind.")
    .option("-a, --all", "also steps whose process has ended, or whose container is all that is left")
    .option("-q, --quiet", "print only the ids")
    .option("-l, --latest", "only the newest step, running or not")
    .option("-n, --last <count>", "only so many of the newest steps, running or not")
    .option("--no-trunc", "do not shorten what does not fit the terminal")
    .option(
      "-f, --filter <key=value>",
      "id=, name=, status=, ancestor= (the image) or label=; may be given again",
      collect,
    )
    .addHelpText("after", EXAMPLE)
    .action(async (flags: PsFlags, self: Command) => {
      const { filter = [] } = flags;
      const newest = flags.latest === true ? 1 : parseLast(flags.last);
      const isWanted = parseStepFilters(filter);
      await using client = await connect(self);
      const containers = new Map((await client.containers.list()).map(({ id, labels }) => [id, labels]));
      // As in docker, a filter by status shows what it asks for, without -a.
      const isAll =
        flags.all === true || newest !== undefined || filter.some((each) => each.startsWith("status="));
      const steps = (await listSteps(client))
        .filter((step) => isAll || isAlive(step))
        .filter((step) => isWanted({ ...step, labels: containers.get(step.id) ?? {} }))
        .toSorted((a, b) => (b.createdAt?.getTime() ?? 0) - (a.createdAt?.getTime() ?? 0))
        .slice(0, newest);
      if (flags.quiet === true) {
        for (const { id } of steps) console.log(printableLine(id));
        return;
      }
      await printSteps(steps, containers, { format: globalOptions(self).format, noTrunc: !flags.trunc });
    });
}

/** @returns Undefined: all. As in docker, so does a negative number. */
function parseLast(text: string | undefined): number | undefined {
  if (text === undefined || /^-\d+$/.test(text)) return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new UsageError(
    `--last: ${JSON.stringify(text)} is not a number of steps; allowed: 0 and more; example: --last 3`,
  );
}
