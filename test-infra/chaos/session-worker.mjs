// Runs numbered steps in two sessions, in a process that may be killed at any moment: one session goes on,
// and the next process connects to it; the other ends with this process. Prints what worker.mjs prints.
// Usage: node session-worker.mjs <configuration as JSON>; then as worker.mjs. At the end it closes both.
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { createClient } from "@wfe-containerd/client";
import { createExecutor } from "@wfe-containerd/executor";
import { follow, say } from "./tell.mjs";

const { address, namespace, ioDir, ranDir } = JSON.parse(process.argv[2]);
const client = createClient({ address, namespace });
const executor = createExecutor({
  client,
  ioDir,
  policy: { mountSources: [ranDir] },
  // The harness counts what is left.
  reapIntervalMs: false,
});
const container = { image: "busybox", volumes: [{ source: ranDir, target: "/ran" }] };

async function connectOrOpen() {
  const sessions = await executor.sessions();
  const left = sessions.find(({ name, status }) => name === "goes-on" && status === "running");
  if (left === undefined) return executor.open({ ...container, name: "goes-on" }, { detached: true });
  say({ type: "connected" });
  return executor.connect(left.id);
}

/** A daemon that has not answered this executor yet is not waited for. */
async function untilOpen(open) {
  for (;;) {
    try {
      return await open();
    } catch (reason) {
      if (reason.kind !== "daemon-unavailable") throw reason;
    }
    await delay(100);
  }
}

const sessions = [
  await untilOpen(connectOrOpen),
  await untilOpen(() => executor.open({ ...container, name: "ends" })),
];
const following = new Set();
let started = 0;
say({ type: "ready" });
for await (const line of createInterface({ input: process.stdin })) {
  const { name, run } = JSON.parse(line);
  const session = sessions[started++ % sessions.length];
  const promise = follow(name, session.start({ name, run }));
  following.add(promise);
  void promise.finally(() => following.delete(promise));
}
await Promise.all(following);
for (const session of sessions) await session.close();
const { unreleased } = await executor.close();
await client.close();
say({ type: "end", unreleased: unreleased.length });
