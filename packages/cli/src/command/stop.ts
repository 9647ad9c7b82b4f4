import { setTimeout as delay } from "node:timers/promises";
import { type Client, isContainerdError } from "@wfe-containerd/client";
import type { Command } from "commander";
import { connect } from "../connection.js";
import { removeIfOver } from "../ended-step.js";
import { UsageError } from "../failure.js";
import { forEachWord, runningStepOf } from "../steps.js";
import { checkSignal, sendSignal } from "./kill.js";

interface StopFlags {
  readonly time: string;
  readonly timeout?: string;
  readonly signal?: string;
}

const EXAMPLE = `
Examples:
  wfe-containerd stop build           as docker: 10 seconds, then SIGKILL
  wfe-containerd stop -t 60 a b       a minute
  wfe-containerd stop -t -1 build     wait as long as it takes

The command that runs the step goes on: it reports the end of the step, and removes it. A step of run -d stays until rm,
and one of run -d --rm is removed here.`;

export function defineStop(command: Command): void {
  command
    .description("End steps: send them their stop signal, and SIGKILL to those that do not end in time.")
    .argument("<step...>", "id, beginning of an id, or name")
    .option("-t, --time <seconds>", "seconds between the two signals; -1: no SIGKILL", "10")
    .option("--timeout <seconds>", "the same as --time")
    .option(
      "-s, --signal <signal>",
      "first signal (default: the step's own, else that of its image, else TERM)",
    )
    .addHelpText("after", EXAMPLE)
    .action(async (words: string[], { time, timeout = time, signal }: StopFlags, self: Command) => {
      const graceMs = parseGrace(timeout);
      if (signal !== undefined) checkSignal("--signal", signal);
      await using client = await connect(self);
      await forEachWord(words, async (word) => {
        const step = await runningStepOf(client, word);
        await stop(client, step.id, { signal: signal ?? step.stopSignal ?? "TERM", graceMs });
        await removeIfOver(client, step.id);
        return word;
      });
    });
}

/** @returns Undefined for -1: there is no end to it. */
function parseGrace(text: string): number | undefined {
  if (text === "-1") return undefined;
  if (/^\d{1,7}$/.test(text)) return Number(text) * 1000;
  throw new UsageError(
    `--time: ${JSON.stringify(text)} is not a number of seconds; allowed: 0 and more, or -1 for no SIGKILL; example: --time 30`,
  );
}

async function stop(
  client: Client,
  id: string,
  { signal, graceMs }: { readonly signal: string; readonly graceMs: number | undefined },
): Promise<void> {
  const waiting = new AbortController();
  const ended = client.tasks.wait(id, { signal: waiting.signal }).then(
    () => "ended" as const,
    (reason: unknown) => {
      // Its executor has removed it.
      if (isContainerdError(reason, "not-found")) return "ended" as const;
      throw reason;
    },
  );
  const late = new AbortController();
  try {
    await sendSignal(client, id, signal);
    const grace =
      graceMs === undefined
        ? []
        : [delay(graceMs, "late" as const, { signal: late.signal }).catch(() => "late" as const)];
    if ((await Promise.race([ended, ...grace])) === "ended") return;
    await sendSignal(client, id, "KILL");
    await ended;
  } finally {
    late.abort();
    waiting.abort();
    ended.catch(() => undefined);
  }
}
