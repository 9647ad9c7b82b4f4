import type { Client } from "@wfe-containerd/client";
import {
  type DetachOptions,
  type Executor,
  isExecutorError,
  removeStep,
  type StepInput,
} from "@wfe-containerd/executor";
import { writeId } from "./cidfile.js";
import { UsageError } from "./failure.js";
import { createProgressView } from "./progress.js";
import type { StreamFlags } from "./terminal.js";

/** The flags of `run` that `run -d` depends on. */
export interface DetachFlags extends StreamFlags {
  readonly rm?: boolean;
  readonly quiet?: boolean;
  readonly cidfile?: string;
  readonly retry?: string;
  readonly io: "file" | "fifo";
}

/** @throws UsageError for what needs a process that stays with the step. */
export function refuseWithDetach(flags: DetachFlags): void {
  const sentence = problemOf(flags);
  if (sentence !== undefined) throw new UsageError(`--detach: cannot be used together with ${sentence}`);
}

function problemOf({ io, retry }: DetachFlags): string | undefined {
  if (io === "fifo") return "--io fifo: nobody would read the output; leave it out";
  return retry === undefined ? undefined : "--retry: nobody would start the next attempt; leave --retry out";
}

/** Starts a step, leaves it once its process runs, and prints its id. @returns the exit code. */
export async function detach(
  { client, executor }: { readonly client: Client; readonly executor: Executor },
  step: StepInput,
  options: Pick<DetachOptions, "secrets" | "signal" | "terminal">,
  { rm, quiet, cidfile, interactive = false, tty = false }: DetachFlags,
): Promise<number> {
  const mode = quiet === true ? "none" : process.stderr.isTTY ? "auto" : "retries";
  const view = createProgressView(mode, process.stderr);
  const start = (openStdin: boolean): Promise<string> =>
    executor.detach(step, {
      ...options,
      openStdin,
      afterEnd: rm === true ? "remove" : "keep",
      onEvent: (event) => {
        if (event.type === "progress") view.show(event);
      },
    });
  const id = await start(interactive).catch((reason: unknown) => {
    // On another machine nobody can type at its terminal. It waits there, as in docker until somebody
    // attaches.
    if (!tty || !isExecutorError(reason, "refused") || reason.issues[0]?.field !== "terminal") throw reason;
    return start(false);
  });
  if (cidfile !== undefined)
    await writeId(cidfile, { id, [Symbol.asyncDispose]: () => removeStep(client, id) });
  console.log(id);
  return 0;
}
