// Pulls one image, as a process of its own, so that its CPU time and memory are those of a pull: node contender/pull.mjs ADDRESS NAMESPACE IMAGE
import { createClient } from "@wfe-containerd/client";

const [address, namespace, image] = process.argv.slice(2);
const client = createClient({ address, namespace });
await client.images.pull(image, { auth: "anonymous" });
await client.close();
