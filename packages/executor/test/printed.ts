import type { StepHandle } from "@wfe-containerd/executor";

/** Waits until a step, or a process in one, has printed a text. */
export async function printed(handle: StepHandle, text: string): Promise<void> {
  let seen = "";
  for await (const entry of handle.log.read()) {
    if (entry.type === "output") seen += Buffer.from(entry.data).toString();
    if (seen.includes(text)) return;
  }
  const { cause, exitCode } = await handle.result;
  throw new Error(`it ended (${cause}, ${exitCode}), and printed only ${JSON.stringify(seen)}`);
}
