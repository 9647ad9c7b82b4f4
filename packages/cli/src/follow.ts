import type { StepHandle, StepResult } from "@wfe-containerd/executor";
import { writeOutput } from "./output.js";
import { printable } from "./printable.js";
import { createProgressView } from "./progress.js";
import type { StopSignals } from "./stop-signals.js";

export interface FollowOptions {
  readonly signals: StopSignals;
  /** Whether the step's output is passed through. */
  readonly output: boolean;
  /** Whether the image's pull is shown: on a terminal all of it, elsewhere only when a registry is asked again. @default true */
  readonly progress?: boolean;
}

/**
 * Stays with a started step until it is over and everything is released. Passes its output through, byte for byte, and shows the image's
 * pull on a terminal. The second signal kills the step; the first one stops it by the `signal` that it was started with.
 *
 * @throws OutputError when the output cannot be written, for example because its reader has gone (`| head`); the step is then killed.
 */
export async function follow(
  handle: StepHandle,
  { signals, output, progress = true }: FollowOptions,
): Promise<StepResult> {
  const onKill = (): void => handle.kill();
  if (signals.kill.aborted) onKill();
  signals.kill.addEventListener("abort", onKill);
  const progressMode = process.stderr.isTTY ? "auto" : "retries";
  const view = createProgressView(progress ? progressMode : "none", process.stderr);
  try {
    for await (const event of handle) {
      if (event.type === "progress") view.show(event);
      if (event.type === "warning" || event.type === "output-issue")
        await writeOutput(
          process.stderr,
          Buffer.from(`wfe-containerd: warning: ${printable(event.message)}\n`),
        );
      if (event.type === "output" && output) await writeOutput(process[event.stream], event.data);
    }
    return await handle.result;
  } catch (reason) {
    handle.kill();
    throw reason;
  } finally {
    await handle.closed;
    signals.kill.removeEventListener("abort", onKill);
  }
}
