import type { StepHandle, StepResult } from "@wfe-containerd/executor";
import { OutputError } from "./failure.js";
import { createProgressView } from "./progress.js";

/**
 * Passes a step's output through, byte for byte, and our signals on to it: the first SIGINT or SIGTERM stops it in order, a second one at
 * once. On a terminal it shows how far the image's pull is, and elsewhere only when a registry is asked again. Resolves when the step is over and everything released.
 *
 * @throws OutputError when nobody takes the output any more (`| head`), or it cannot be written; the step is then killed, as a program that writes
 * to a pipe without a reader is.
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
  for (const stream of [process.stdout, process.stderr]) {
    // What goes wrong with a write is told to who wrote; without a listener it would end this process besides.
    if (!stream.listeners("error").includes(ignore)) stream.on("error", ignore);
  }
  const view = createProgressView(process.stderr.isTTY ? "auto" : "retries", process.stderr);
  try {
    for await (const event of handle) {
      if (event.type === "progress") view.show(event);
      if (event.type === "output") await write(process[event.stream], event.data);
    }
    return await handle.result;
  } catch (reason) {
    if (reason instanceof OutputError) handle.kill();
    throw reason;
  } finally {
    await handle.closed;
    process.off("SIGINT", onSignal);
    process.off("SIGTERM", onSignal);
  }
}

/** Waits while whoever reads is slow. */
async function write(stream: NodeJS.WriteStream, data: Uint8Array): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    stream.write(data, (cause) => (cause == null ? resolve() : reject(new OutputError(cause))));
  });
}

function ignore(): void {}
