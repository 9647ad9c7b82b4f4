import { type Client, isContainerdError } from "@wfe-containerd/client";
import { isSignal } from "@wfe-containerd/client/internal";
import type { Command } from "commander";
import { connect } from "../connection.js";
import { removeIfOver } from "../ended-step.js";
import { UsageError } from "../failure.js";
import { forEachWord, runningStepOf } from "../steps.js";

/** How long a killed process may take to end, in milliseconds, as in docker. */
const END_MS = 10_000;

const EXAMPLE = `
Examples:
  wfe-containerd kill build               SIGKILL, to the step's first process
  wfe-containerd kill -s USR1 wfe-3f57    any other signal; the step goes on if it handles it`;

export function defineKill(command: Command): void {
  command
    .description("Send a signal to the first process of steps. SIGKILL ends all processes of a step.")
    .argument("<step...>", "id, beginning of an id, or name")
    .option("-s, --signal <signal>", "name or number: TERM, SIGUSR1, 15", "KILL")
    .addHelpText("after", EXAMPLE)
    .action(async (words: string[], { signal }: { signal: string }, self: Command) => {
      checkSignal("--signal", signal);
      await using client = await connect(self);
      await forEachWord(words, async (word) => {
        const { id, afterEnd } = await runningStepOf(client, word);
        await sendSignal(client, id, signal);
        if (afterEnd === "remove" && isKill(signal)) {
          // The signal was sent. What cannot be waited for is told when it cannot be removed.
          await client.tasks.wait(id, { signal: AbortSignal.timeout(END_MS) }).catch(() => undefined);
          await removeIfOver(client, id);
        }
        return word;
      });
    });
}

/** @throws UsageError if Linux has no such signal. */
export function checkSignal(flag: string, signal: string): void {
  if (isSignal(signal)) return;
  throw new UsageError(
    `${flag}: ${JSON.stringify(signal)} is not a signal; allowed: a name or a number from 1 to 64, for example TERM, SIGUSR1, 15`,
  );
}

/** Sends a signal: SIGKILL to all processes of the container, others to the first. Ended counts as killed. */
export async function sendSignal(client: Client, id: string, signal: string): Promise<void> {
  await client.tasks.kill(id, signal, { all: isKill(signal) }).catch((reason: unknown) => {
    if (!isContainerdError(reason, "not-found")) throw reason;
  });
}

/** No process outlives it. */
function isKill(signal: string): boolean {
  return /^(?:SIG)?KILL$|^9$/i.test(signal);
}
