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
  const hash = createHash("sha256");
  let bytes = 0;
  const reading = (async () => {
    for await (const entry of handle.log.read()) {
      if (entry.stream !== "stdout") continue;
      if (entry.type === "gap") continue;
      hash.update(entry.data);
      bytes += entry.data.length;
    }
  })();
  try {
    const { exitCode, cause } = await handle.result;
    say({ type: "result", name, exitCode, cause });
    await reading;
    say({ type: "log", name, bytes, sha256: hash.digest("hex") });
  } catch (reason) {
    if (/ was not started: /.test(reason.message)) say({ type: "not-started", name });
    else say({ type: "error", name, kind: reason.kind, message: reason.message });
  } finally {
    await handle[Symbol.asyncDispose]();
    gc();
    const { rss, heapUsed, external } = process.memoryUsage();
    say({ type: "memory", residentBytes: rss, heapBytes: heapUsed + external });
  }
}
