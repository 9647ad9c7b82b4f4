import type { Client } from "@wfe-containerd/client";
import { type ListedStep, listSteps } from "@wfe-containerd/executor";
import { UsageError } from "./failure.js";
import { printableLine } from "./printable.js";
import { reportFailure } from "./report-failure.js";
import { findStep } from "./step-lookup.js";

/** The statuses of a step whose process is there. */
const ALIVE = ["created", "running", "paused", "pausing", "unknown"];

/** Whether a step's process is there. */
export function isAlive({ status }: Pick<ListedStep, "status">): boolean {
  return ALIVE.includes(status);
}

/**
 * Finds the step that a word means: its id, name or the beginning of its id.
 *
 * @throws UsageError if there is no such step, or several.
 */
export async function stepOf(client: Client, word: string): Promise<ListedStep> {
  return findStep(word, await listSteps(client), whereOf(client));
}

/** @throws UsageError as `stepOf`, and if the step does not run. */
export async function runningStepOf(client: Client, word: string): Promise<ListedStep> {
  const step = await stepOf(client, word);
  if (isAlive(step)) return step;
  throw new UsageError(`step ${printableLine(word)} does not run: its status is ${step.status}`);
}

/** @throws UsageError as `runningStepOf`, and if the step is paused: then none of its processes goes on. */
export async function activeStepOf(client: Client, word: string): Promise<ListedStep> {
  const step = await runningStepOf(client, word);
  if (step.status !== "paused" && step.status !== "pausing") return step;
  throw new UsageError(
    `step ${printableLine(word)} is paused; let it go on before: wfe-containerd unpause ${printableLine(word)}`,
  );
}

/** What ends the message that there is no such step. */
export function whereOf(client: Client): string {
  return ` in namespace ${client.namespace}; \`wfe-containerd ps -a\` lists all`;
}

/**
 * Does the same with each of several steps, side by side, and prints what each gives: as in docker, the word
 * that was typed. A failure does not keep the others from it. It is printed, and sets the exit code.
 */
export async function forEachWord(
  words: readonly string[],
  act: (word: string) => Promise<string | number>,
): Promise<void> {
  const started = words.map((word) => act(word));
  // Those behind the first that fails are not waited for yet.
  for (const each of started) each.catch(() => undefined);
  for (const each of started) {
    try {
      console.log(printableLine(String(await each)));
    } catch (reason) {
      process.exitCode = reportFailure(reason);
    }
  }
}
