// Uses containerd itself, without steps, as the author of a tool does.
// WFE_CONTAINERD_ADDR names the daemon, CONTAINERD_NAMESPACE the namespace.
import { createClient, isContainerdError } from "@wfe-containerd/client";

await using client = createClient();

const { version } = await client.version();
console.log(`containerd ${version}`);

for (const image of await client.images.list()) {
  console.log(image.name, image.target.digest);
}

try {
  await client.containers.get("no-such-container");
} catch (error) {
  if (!isContainerdError(error, "not-found")) throw error;
  console.log(error.message);
}
