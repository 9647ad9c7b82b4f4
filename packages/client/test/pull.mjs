// Pulls an image in a process that can be killed at a known moment. It counts moments: before, during and
// after each request to the daemon, and at each progress report. At the given moment it prints a line, and
// stops until it reads a line. A pull that ends before that moment stops at its end.
import { readSync, writeSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import { createClient } from "@wfe-containerd/client";

const [, , socketPath, namespace, name, moment] = process.argv;
let count = 0;
let lastFetching = 0;

function pass(what) {
  count++;
  if (what === "fetching") lastFetching = count;
  if (count === Number(moment)) stand(what);
}

function stand(what) {
  say(`stands at ${count}: ${what}`);
  readSync(0, Buffer.alloc(1));
}

function say(line) {
  writeSync(1, `${line}\n`);
}

const client = createClient({
  address: socketPath,
  namespace,
  interceptors: [
    (next) => async (request) => {
      pass(`before ${request.method.name}`);
      const answering = next(request);
      answering.catch(() => undefined);
      await turn();
      pass(`while ${request.method.name}`);
      const answer = await answering;
      pass(`after ${request.method.name}`);
      return answer;
    },
  ],
});
try {
  await client.images.pull(name, {
    auth: "anonymous",
    retry: { firstDelayMs: 50, longestDelayMs: 200, deadlineMs: 5_000 },
    onProgress: ({ state }) => pass(state),
  });
  // How often progress is told depends on the time. A pull with fewer moments than the test has counted stops
  // at its end.
  if (count < Number(moment)) stand("its end");
  say(JSON.stringify({ count, lastFetching }));
} catch (error) {
  say(`failed: ${error.kind}: ${error.message}`);
}
await client.close();
// Its standard input is still open and would keep the process running.
process.exit();
