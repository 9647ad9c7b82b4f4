// What the processes of a soak print.
import { createHash } from "node:crypto";
import { writeSync } from "node:fs";

/** Prints a line of JSON. */
export function say(line) {
  // At once: a line that waits in this process is lost when it is killed.
  writeSync(1, `${JSON.stringify(line)}\n`);
}

/** Tells the result before anything of the step is released, so that no step has to run twice. */
export async function follow(name, handle) {
  const { id } = handle;
  const reading = hashOf(handle);
  const telling = tellPhases(name, handle);
  // The result tells the error, too.
  telling.catch(() => undefined);
  try {
    const { exitCode, cause, log, stderr } = await handle.result;
    say({ type: "result", name, id, exitCode, cause, isComplete: log.complete, stderr });
    say({ type: "log", name, ...(await reading) });
  } catch (reason) {
    if (/ was not started: /.test(reason.message)) say({ type: "not-started", name });
    else say({ type: "error", name, id, kind: reason.kind, message: reason.message });
  } finally {
    await handle[Symbol.asyncDispose]();
    gc();
    const { rss, heapUsed, external } = process.memoryUsage();
    say({ type: "closed", name, residentBytes: rss, heapBytes: heapUsed + external });
  }
}

async function hashOf(handle) {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const entry of handle.log.read()) {
    if (entry.type === "gap" || entry.stream !== "stdout") continue;
    hash.update(entry.data);
    bytes += entry.data.length;
  }
  return { bytes, sha256: hash.digest("hex") };
}

async function tellPhases(name, handle) {
  for await (const { type, phase, id } of handle) if (type === "phase") say({ type, name, phase, id });
}
