// containerd itself, without steps: what a tool author reaches for.
// The daemon is named by WFE_CONTAINERD_ADDR, the namespace by CONTAINERD_NAMESPACE.
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
