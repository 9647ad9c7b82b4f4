// Pulls an image, in a process that can be killed at a moment that is known: it counts what it asks of the daemon, before, while and after, and what it is
// told of its progress. At the moment that it is given it says so, and stands still until a line comes in.
import { readSync, writeSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import { createClient } from "@wfe-containerd/client";

const [, , socketPath, namespace, name, moment] = process.argv;
let count = 0;
let lastFetching = 0;

function pass(what) {
  count++;
  if (what === "fetching") lastFetching = count;
  if (count !== Number(moment)) return;
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
  say(JSON.stringify({ count, lastFetching }));
} catch (error) {
  say(`failed: ${error.kind}: ${error.message}`);
}
await client.close();
// What it was given no line for is still open.
process.exit();
