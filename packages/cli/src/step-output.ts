import type { LogOffsets, StepHandle } from "@wfe-containerd/executor";
import { writeOutput } from "./output.js";

/** Prints what a step's log has from some place on, byte for byte. */
export async function printLog(
  { log }: Pick<StepHandle, "log">,
  {
    from,
    follow,
    signal,
  }: { readonly from?: LogOffsets; readonly follow: boolean; readonly signal?: AbortSignal },
): Promise<void> {
  for await (const entry of log.read({ from, follow, signal }))
    if (entry.type === "output") await writeOutput(process[entry.stream], entry.data);
}

/** Where the log ends now. */
export async function endOfLog({ log }: Pick<StepHandle, "log">): Promise<LogOffsets> {
  const ends = { stdout: 0, stderr: 0 };
  for await (const entry of log.read({ follow: false })) {
    const bytes = entry.type === "output" ? entry.data.byteLength : entry.bytes;
    ends[entry.stream] = entry.offset + bytes;
  }
  return ends;
}

/**
 * Where the last lines of the log begin, so many of each stream. Of output that was there before it was read,
 * nobody knows the order of the streams.
 */
export async function startOfTail({ log }: Pick<StepHandle, "log">, lines: number): Promise<LogOffsets> {
  const last: Record<"stdout" | "stderr", number[]> = { stdout: [], stderr: [] };
  for await (const { stream, offset } of log.lines({ follow: false, maxLineBytes: 1 })) {
    last[stream].push(offset);
    if (last[stream].length > lines) last[stream].shift();
  }
  const ends = await endOfLog({ log });
  return { stdout: last.stdout[0] ?? ends.stdout, stderr: last.stderr[0] ?? ends.stderr };
}
