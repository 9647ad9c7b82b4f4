import type { StepHandle, StepResult } from "@wfe-containerd/executor";
import { createProgressView } from "./progress.js";

/**
 * Passes a step's output through, byte for byte, and our signals on to it: the first SIGINT or SIGTERM stops it in order, a second one at
 * once. On a terminal it shows how far the image's pull is. Resolves when the step is over and everything released.
 */
export async function follow(handle: StepHandle): Promise<StepResult> {
  let signals = 0;
  const onSignal = (): void => {
    signals++;
    if (signals === 1) {
      console.error("wfe-containerd: stopping the step; once more kills it");
      handle.stop();
    } else {
      handle.kill();
    }
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  const view = createProgressView(process.stderr.isTTY ? "auto" : "none", process.stderr);
  try {
    for await (const event of handle) {
      if (event.type === "progress") view.show(event);
      if (event.type === "output") await write(process[event.stream], event.data);
    }
    return await handle.result;
  } finally {
    await handle.closed;
    process.off("SIGINT", onSignal);
    process.off("SIGTERM", onSignal);
  }
}

/** Waits while whoever reads is slow. A reader that has gone (`| head`) is no failure: the step runs on, unheard. */
async function write(stream: NodeJS.WriteStream, data: Uint8Array): Promise<void> {
  if (stream.destroyed || stream.errored != null) return;
  await new Promise<void>((resolve) => {
    stream.once("error", () => undefined);
    stream.write(data, () => resolve());
  });
}
