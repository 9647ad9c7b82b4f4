import type { Client } from "@wfe-containerd/client";
import {
  createExecutor,
  type Executor,
  type ListedStep,
  listRecoverable,
  listSteps,
  type RecoverOptions,
  type StepHandle,
} from "@wfe-containerd/executor";
import type { Command } from "commander";
import { closeAtEnd } from "../close-executor.js";
import { connect } from "../connection.js";
import { exitCodeWith } from "../exit-code.js";
import { FAILED, UsageError } from "../failure.js";
import { followSteps } from "../follow-steps.js";
import { globalOptions } from "../global-options.js";
import { printableLine } from "../printable.js";
import { reportFailure } from "../report-failure.js";
import { parseSecret, readSecrets, secretFlag } from "../secret.js";
import { shortName } from "../short-name.js";
import { findStep } from "../step-lookup.js";
import { headingOf } from "../step-progress.js";
import { printSteps } from "../step-rows.js";
import { whereOf } from "../steps.js";
import { catchStopSignals } from "../stop-signals.js";
import { formatAge } from "../table.js";

interface RecoverFlags {
  readonly stop?: boolean;
  readonly dryRun?: boolean;
  readonly quiet?: boolean;
  readonly secret?: readonly string[];
}

type Policy = NonNullable<RecoverOptions["policy"]>;

const EXAMPLE = `
Examples:
  wfe-containerd recover -n           list the steps that no living process has, and change nothing
  wfe-containerd recover              go on with all of them, as the killed commands would have done
  wfe-containerd recover build        go on with one
  wfe-containerd recover --stop       end them: their stop signal, and SIGKILL after their grace period

A step goes on when the process that started it is killed (SIGKILL), and also ends by itself. recover prints its output
from the beginning, and its result; then it removes the step, as run does. With several steps, each line of output begins
with the step's name. The exit code is that of the first step that failed, the oldest one first.
Ctrl-C stops the steps. Steps that were left on purpose (run -d) stay as they are, and so do sessions without --stop.`;

export function defineRecover(command: Command): void {
  command
    .description(
      "Go on with the steps of processes that were killed: print their output, wait for their end, and remove them.",
    )
    .argument("[step...]", "id, beginning of an id, or name (default: all)")
    .option("--stop", "end the steps and sessions, and print no output")
    .option("-n, --dry-run", "list the steps, but change nothing; with --stop also sessions")
    .option("-q, --quiet", "print only output and errors: no headings, no results; with -n only ids")
    .addOption(secretFlag())
    .addHelpText("after", EXAMPLE)
    .action(async (words: readonly string[], flags: RecoverFlags, self: Command) => {
      process.exitCode = await recover(words, flags, self);
    });
}

async function recover(
  words: readonly string[],
  { stop = false, dryRun = false, quiet = false, secret = [] }: RecoverFlags,
  command: Command,
): Promise<number> {
  const policy = stop ? "stop" : "adopt";
  const secrets = await readSecrets(secret.map(parseSecret));
  using signals = catchStopSignals();
  await using client = await connect(command);
  const steps = await findMeant(client, words, policy);
  if (dryRun) {
    await list(client, steps, { quiet, format: globalOptions(command).format });
    return 0;
  }
  if (steps.length === 0) {
    if (!quiet)
      console.error("wfe-containerd: nothing to recover: each step has a living process, or was left");
    return 0;
  }
  const executor = createExecutor({ client, reapIntervalMs: false });
  await using _ = closeAtEnd(executor);
  const handles = await takeOver(executor, { policy, secrets, steps: steps.map(({ id }) => id) });
  const taken = steps.flatMap((step) => {
    const handle = handles.get(step.id);
    return handle === undefined ? [] : [{ handle, step, name: nameOf(step, steps) }];
  });
  if (!quiet && !stop)
    for (const [at, { step, name }] of taken.entries())
      console.error(recoveredHeading({ ...step, name }, at, taken.length));
  const ending = followSteps(taken, { signals, output: !stop, quiet, command });
  const lost = steps.filter(({ id }) => !handles.has(id));
  for (const step of lost)
    reportFailure(
      new UsageError(`step ${nameOf(step, steps)}: another process has taken it over or removed it`),
    );
  // Of a step that was to end, any result is one.
  const failed = (await ending).find(({ exitCode, hasResult }) => (stop ? !hasResult : exitCode !== 0));
  const isMissing = words.length > 0 && lost.length > 0;
  return exitCodeWith(signals, failed?.exitCode ?? (isMissing ? FAILED : 0));
}

/** Takes steps over. @returns their handles, by id. */
async function takeOver(executor: Executor, options: RecoverOptions): Promise<Map<string, StepHandle>> {
  const handles = new Map<string, StepHandle>();
  for await (const handle of executor.recover(options)) handles.set(handle.id, handle);
  return handles;
}

/**
 * Finds the steps that words mean, or all, the oldest first.
 *
 * @throws UsageError if a word means no step, several, or one that cannot be taken over.
 */
async function findMeant(client: Client, words: readonly string[], policy: Policy): Promise<ListedStep[]> {
  const recoverable = await listRecoverable(client, { policy });
  if (words.length === 0) return recoverable;
  const all = await listSteps(client);
  const ids = words.map((word) => {
    // A step that lives may have the same name.
    const among = recoverable.some(({ id, name }) => word === id || word === name) ? recoverable : all;
    const step = findStep(word, among, whereOf(client));
    if (recoverable.some(({ id }) => id === step.id)) return step.id;
    throw new UsageError(`step ${printableLine(word)} cannot be recovered: ${whyNot(step)}`);
  });
  return recoverable.filter(({ id }) => ids.includes(id));
}

function whyNot({ executor, owner }: ListedStep): string {
  const follow = "to follow it: wfe-containerd attach";
  if (executor === "alive") return `its process lives (${printableLine(owner)}); ${follow}`;
  if (executor === "left") return `it was left to itself, and needs no process; ${follow}`;
  if (executor === "unknown")
    return `its process ran on another machine or in another container (${printableLine(owner)}), and may live`;
  return "it is a session, whose container only waits, or only a part of it is left; allowed: recover --stop for a session, gc for the rest";
}

async function list(
  client: Client,
  steps: readonly ListedStep[],
  { quiet, format }: { readonly quiet: boolean; readonly format: string },
): Promise<void> {
  if (quiet) {
    for (const { id } of steps) console.log(printableLine(id));
    return;
  }
  const labels = new Map(
    (await client.containers.list()).map((container) => [container.id, container.labels]),
  );
  await printSteps(steps, labels, { format });
}

/** The first digits of an id tell steps of the same name apart. */
function nameOf({ id, name }: ListedStep, steps: readonly ListedStep[]): string {
  const isOnly = steps.filter((step) => step.name === name).length === 1;
  return isOnly ? name : `${name} ${id.slice(0, "wfe-".length + 8)}`;
}

/** `==> [1/2] build (alpine:3.20): running, created 5 minutes ago`. */
function recoveredHeading(step: ListedStep, at: number, count: number): string {
  const { status, exitCode, createdAt = new Date(), image } = step;
  const hasEnded = status === "stopped" || exitCode !== undefined;
  const state = hasEnded ? "has ended" : status === "none" ? "has no process" : status;
  const heading = headingOf({ ...step, image: shortName(image) }, at, count);
  return `${heading}: ${state}, created ${formatAge(createdAt, new Date())}`;
}
