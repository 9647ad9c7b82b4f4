import { setTimeout as delay } from "node:timers/promises";
import { type Client, isContainerdError } from "@wfe-containerd/client";
import { type ListedStep, listSteps } from "@wfe-containerd/executor";
import type { Command } from "commander";
import { connect } from "../connection.js";
import { globalOptions } from "../global-options.js";
import { writeOutput } from "../output.js";
import { type Column, formatRows, type PrintOptions, type Row, STEP_ID_COLUMN } from "../rows.js";
import { findStep } from "../step-lookup.js";
import { type StepUsageRow, toSample, toUsageRow, type UsageSample } from "../step-usage.js";
import { isAlive, whereOf } from "../steps.js";
import { formatBytes } from "../table.js";

interface StatsFlags {
  readonly stream: boolean;
  readonly all?: boolean;
  readonly trunc: boolean;
}

/** CPU time is the difference of two samples. */
const SAMPLE_MS = 1000;
/** Moves the cursor to the top left, and clears the screen below it. */
const CLEAR = "\x1b[H\x1b[J";

const EXAMPLE = `
Examples:
  wfe-containerd stats                      all running steps, until Ctrl-C
  wfe-containerd stats --no-stream build    one step, once
  wfe-containerd stats --no-stream --format '{{.Name}} {{.CPUPerc}} {{.MemUsage}}'`;

export function defineStats(command: Command): void {
  command
    .description("Show what running steps use: CPU (100 % is one CPU), memory, disk and processes.")
    .argument("[step...]", "id, beginning of an id, or name (default: all running steps)")
    .option("--no-stream", "print one table, and end")
    .option("--no-trunc", "do not shorten what does not fit the terminal")
    .option("-a, --all", "no effect, as only running steps use anything; accepted because docker has it")
    .addHelpText("after", EXAMPLE)
    .action(async (words: string[], { stream, trunc }: StatsFlags, self: Command) => {
      await using client = await connect(self);
      const options = {
        format: globalOptions(self).format,
        noTrunc: !trunc,
        columns: COLUMNS,
        aliases: ALIASES,
      };
      await show(client, words, { stream, options });
    });
}

async function show(
  client: Client,
  words: readonly string[],
  { stream, options }: { readonly stream: boolean; readonly options: PrintOptions },
): Promise<void> {
  let named: readonly ListedStep[] | undefined;
  for (;;) {
    const steps = await listSteps(client);
    named ??= words.length === 0 ? undefined : words.map((word) => findStep(word, steps, whereOf(client)));
    const wanted = named?.map(({ id }) => id);
    const running = steps.filter(
      (step) => isAlive(step) && (wanted === undefined || wanted.includes(step.id)),
    );
    const rows = await measure(client, running);
    const lines = await formatRows(rows, options);
    const start = stream && process.stdout.isTTY ? CLEAR : "";
    await writeOutput(process.stdout, `${start}${lines.map((line) => `${line}\n`).join("")}`);
    // Steps that were named and have all ended will not come again.
    if (!stream || (named !== undefined && rows.length === 0)) return;
    // Without steps nothing was measured, which takes the time otherwise.
    if (running.length === 0) await delay(SAMPLE_MS);
  }
}

async function measure(client: Client, steps: readonly ListedStep[]): Promise<StepUsageRow[]> {
  if (steps.length === 0) return [];
  const before = await Promise.all(steps.map((step) => sample(client, step)));
  await delay(SAMPLE_MS);
  const after = await Promise.all(steps.map((step) => sample(client, step)));
  return steps.flatMap((step, at) => {
    const [first, second] = [before[at], after[at]];
    if (first === undefined || second === undefined) return [];
    return [toUsageRow(step, first.usage, second.usage, second.at - first.at)];
  });
}

/** @returns Undefined if the step has ended. */
async function sample(
  client: Client,
  { id }: ListedStep,
): Promise<{ readonly usage: UsageSample; readonly at: number } | undefined> {
  try {
    const usage = toSample(await client.tasks.metrics(id));
    return { usage, at: performance.now() };
  } catch (reason) {
    // A task that ends while it is measured: the shim, or its cgroup, has just gone.
    if (isContainerdError(reason, "not-found") || isContainerdError(reason, "unknown")) return undefined;
    throw reason;
  }
}

const percent = (value: number | null): string => (value === null ? "-" : `${value.toFixed(2)}%`);
const bytes = (value: number | null): string => (value === null ? "-" : formatBytes(value));

const COLUMNS: readonly Column[] = [
  { ...STEP_ID_COLUMN, isFixed: false, isLoose: true },
  { name: "step" },
  { name: "cpuPercent", heading: "cpu", show: percent, isFixed: true },
  { name: "memoryBytes", heading: "memory", show: bytes, isFixed: true },
  { name: "memoryLimitBytes", heading: "limit", show: bytes, isFixed: true },
  { name: "memoryPercent", heading: "mem %", show: percent, isFixed: true },
  { name: "readBytes", heading: "read", show: bytes, isFixed: true },
  { name: "writtenBytes", heading: "written", show: bytes, isFixed: true },
  { name: "processes", heading: "pids", isFixed: true },
];

/** docker's names, with docker's texts. */
const ALIASES: Readonly<Record<string, (row: Row) => unknown>> = {
  Container: ({ id }) => id,
  Name: ({ step }) => step,
  CPUPerc: ({ cpuPercent }) => percent(cpuPercent as number),
  MemUsage: ({ memoryBytes, memoryLimitBytes }) =>
    `${bytes(memoryBytes as number)} / ${bytes(memoryLimitBytes as number | null)}`,
  MemPerc: ({ memoryPercent }) => percent(memoryPercent as number | null),
  BlockIO: ({ readBytes, writtenBytes }) =>
    `${bytes(readBytes as number)} / ${bytes(writtenBytes as number)}`,
  PIDs: ({ processes }) => processes,
};
