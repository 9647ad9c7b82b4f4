// Runs numbered steps in a process that may be killed at any moment. Prints a line of JSON for each phase,
// for each result as soon as it is known, for each whole log, and for each released step.
// Usage: node worker.mjs <settings as JSON>; then numbered steps as JSON, a line each, on stdin. At the end
// of stdin it waits for the steps that run, and ends.
import { createInterface } from "node:readline";
import { createClient, createOutage } from "@wfe-containerd/client";
import { createExecutor, listSteps } from "@wfe-containerd/executor";
import { follow, say } from "./tell.mjs";

const { address, namespace, keepAliveMs, ioDir, ranDir, runId } = JSON.parse(process.argv[2]);
const client = createClient({ address, namespace, keepAliveMs });
const executor = createExecutor({
  client,
  ioDir,
  policy: { mountSources: [ranDir] },
  // Only this process's steps; the harness counts what is left.
  reapIntervalMs: false,
});
const following = new Set();
function keep(name, handle) {
  const promise = follow(name, handle);
  following.add(promise);
  void promise.finally(() => following.delete(promise));
}

const patient = client.with({ outage: createOutage() });
// A daemon that has not answered an executor yet is not waited for by it.
await patient.version();
const names = new Map((await listSteps(patient)).map(({ id, name }) => [id, name]));
for await (const handle of executor.recover()) {
  const name = names.get(handle.id);
  say({ type: "recovered", name });
  keep(name, handle);
}
say({ type: "ready" });
for await (const line of createInterface({ input: process.stdin })) {
  const { name, run } = JSON.parse(line);
  const step = { name, image: "busybox", run, volumes: [{ source: ranDir, target: "/ran" }] };
  keep(name, executor.start(step, { runId }));
}
await Promise.all(following);
const { unreleased } = await executor.close();
await client.close();
say({ type: "end", unreleased: unreleased.length });
