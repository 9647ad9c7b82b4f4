// Pulls one image in a process of its own, so that its CPU time and memory are those of a pull.
// Usage: node contender/pull.mjs ADDRESS NAMESPACE IMAGE [daemon]
import { createClient } from "@wfe-containerd/client";

const [address, namespace, image, via] = process.argv.slice(2);
const client = createClient({ address, namespace });
const start = performance.now();
await client.images.pull(image, { auth: "anonymous", via });
// Leaves out the start of Node and the loading of modules, which a long-running process does only once.
console.log((performance.now() - start) / 1000);
await client.close();
