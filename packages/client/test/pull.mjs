// Pulls an image, in a process that can be killed: says when it begins, and how it ends.
import { createClient } from "@wfe-containerd/client";

const [, , socketPath, namespace, name] = process.argv;
const client = createClient({ address: socketPath, namespace });
await client.version();
console.log("begins");
try {
  await client.images.pull(name, {
    auth: "anonymous",
    retry: { firstDelayMs: 50, longestDelayMs: 200, deadlineMs: 5_000 },
  });
  console.log("pulled");
} catch (error) {
  console.log(`failed: ${error.kind}: ${error.message}`);
}
await client.close();
