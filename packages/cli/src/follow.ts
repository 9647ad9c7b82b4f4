import type { RetryEvent, StepEvent, StepHandle, StepResult } from "@wfe-containerd/executor";
import { createLinePrefixer, type LinePrefixer } from "./line-prefixer.js";
import { writeOutput } from "./output.js";
import { printable } from "./printable.js";
import { createProgressView } from "./progress.js";
import type { StopSignals } from "./stop-signals.js";

export interface FollowOptions {
  readonly signals: StopSignals;
  /** Whether the step's output is printed. */
  readonly output: boolean;
  /** Called before each output is printed. */
  readonly beforeOutput?: () => void;
  /** Put before each line of the output. Without it, the output is passed on byte for byte. */
  readonly prefix?: string | undefined;
  /** Whether lines with a prefix are printed only as a whole, because other steps print meanwhile. */
  readonly wholeLines?: boolean;
  /**
   * Whether to show the image's pull: all of it on a terminal; otherwise only when a request to a registry is
   * repeated.
   *
   * @default true
   */
  readonly progress?: boolean;
}

/**
 * Waits until a started step has ended and everything of it is released. Meanwhile prints its output, byte
 * for byte, its warnings, and the pull of its image. Kills the step at the second signal. The first signal
 * stops the step through the `signal` that `start` was given.
 *
 * @throws OutputError when the output cannot be written, for example because its reader has gone (`| head`).
 *   The step is then killed.
 */
export async function follow(
  handle: StepHandle,
  { signals, output, beforeOutput, prefix, wholeLines, progress = true }: FollowOptions,
): Promise<StepResult> {
  const onKill = (): void => handle.kill();
  if (signals.kill.aborted) onKill();
  signals.kill.addEventListener("abort", onKill);
  const tell = createEventTeller(progress);
  const prefixers = prefix === undefined ? undefined : createPrefixers(prefix, wholeLines);
  try {
    for await (const event of handle) {
      await tell(event);
      if (event.type === "output" && output) {
        beforeOutput?.();
        const data = prefixers?.[event.stream].add(event.data) ?? event.data;
        await writeOutput(process[event.stream], data);
      }
    }
    for (const stream of ["stdout", "stderr"] as const) {
      const rest = prefixers?.[stream].end();
      if (rest !== undefined) await writeOutput(process[stream], rest);
    }
    return await handle.result;
  } catch (reason) {
    handle.kill();
    throw reason;
  } finally {
    // Never rejects, so the result or the first error stands.
    await handle.closed;
    signals.kill.removeEventListener("abort", onKill);
  }
}

/** Tells what happens to a step on standard error: its warnings, the pull of its image, outages. */
export function createEventTeller(progress: boolean): (event: StepEvent) => Promise<void> {
  const how = process.stderr.isTTY ? "auto" : "retries";
  const view = createProgressView(progress ? how : "none", process.stderr);
  return async (event) => {
    if (event.type === "progress") view.show(event);
    if (event.type === "warning" || event.type === "output-issue") await say(`warning: ${event.message}`);
    if (event.type === "daemon-away") await say(`the daemon is away; waiting for it: ${event.reason}`);
    if (event.type === "daemon-back")
      await say(`the daemon is back after ${(event.awayMs / 1000).toFixed(1)} s`);
    if (event.type === "retry") await say(retryText(event));
  };
}

/** `attempt 1 of 3 failed (timeout, exit code 143); the next one begins in 10.0 s`. */
function retryText({ ended, attempt, attempts, delayMs }: RetryEvent): string {
  const { cause, exitCode, message } = ended;
  const code = exitCode === null ? "" : `exit code ${exitCode}`;
  const how = message ?? (cause === "exit" ? code : [cause, code].filter(Boolean).join(", "));
  const pause = delayMs < 1000 ? `${delayMs} ms` : `${(delayMs / 1000).toFixed(1)} s`;
  return `attempt ${attempt - 1} of ${attempts} failed (${how}); the next one begins in ${pause}`;
}

function createPrefixers(prefix: string, wholeLines?: boolean) {
  const create = (): LinePrefixer => createLinePrefixer(prefix, { wholeLines });
  return { stdout: create(), stderr: create() };
}

async function say(text: string): Promise<void> {
  await writeOutput(process.stderr, Buffer.from(`wfe-containerd: ${printable(text)}\n`));
}
