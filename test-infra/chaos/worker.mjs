// Runs numbered steps in a process that may be killed at any moment. Prints a line of JSON for each result as
// soon as it is known, for each whole log, and for the memory that it uses.
// Usage: node worker.mjs <configuration as JSON>; then numbered steps as JSON, a line each, on stdin. At the
// end of stdin it waits for the steps that run, and ends.
import { createHash } from "node:crypto";
import { writeSync } from "node:fs";
import { createInterface } from "node:readline";
import { createClient, createOutage } from "@wfe-containerd/client";
import { createExecutor, listSteps } from "@wfe-containerd/executor";

const { address, namespace, ioDir, ranDir, runId } = JSON.parse(process.argv[2]);
const client = createClient({ address, namespace });
const executor = createExecutor({
  client,
  ioDir,
  policy: { mountSources: [ranDir] },
  // Only this process's steps; the harness counts what is left.
  reapIntervalMs: false,
});
const following = [];

function say(line) {
  // At once: a line that waits in this process is lost when it is killed.
  writeSync(1, `${JSON.stringify(line)}\n`);
}

/** Tells the result before anything of the step is released, so that no step has to run twice. */
async function follow(name, handle) {
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
    say({ type: "memory", residentBytes: process.memoryUsage.rss() });
  }
}

const patient = client.with({ outage: createOutage() });
const names = new Map((await listSteps(patient)).map(({ id, name }) => [id, name]));
for await (const handle of executor.recover()) {
  const name = names.get(handle.id);
  say({ type: "recovered", name });
  following.push(follow(name, handle));
}
say({ type: "ready" });
for await (const line of createInterface({ input: process.stdin })) {
  const { name, run } = JSON.parse(line);
  const step = { name, image: "busybox", run, volumes: [{ source: ranDir, target: "/ran" }] };
  following.push(follow(name, executor.start(step, { runId })));
}
await Promise.all(following);
const { unreleased } = await executor.close();
await client.close();
say({ type: "end", unreleased: unreleased.length });
