// Uses clients and closes them, and then has nothing more to do. The test checks that the process ends.
import { createClient } from "@wfe-containerd/client";

const [, , socketPath, silentPort] = process.argv;

async function closeWhile(name, client, wait) {
  const waiting = wait(client).catch((error) => error.kind);
  // The delay is meant to let the call start. If it has not started, it ends in the same way.
  await new Promise((resolve) => setTimeout(resolve, 100));
  await client.close();
  console.log(`${name}: ${await waiting}`);
}

const client = createClient({ address: socketPath });
await client.version();
console.log("called");
const subscription = client.events.subscribe();
await subscription.ready();
await closeWhile("waiting", client, async () => {
  for await (const _ of subscription);
  return "canceled";
});
const version = (silent) => silent.version();
await closeWhile("silent", createClient({ address: `tcp://127.0.0.1:${silentPort}` }), version);
await closeWhile("silent with TLS", createClient({ address: `https://127.0.0.1:${silentPort}` }), version);
createClient({ address: "/nowhere/containerd.sock" });
console.log("closed");
