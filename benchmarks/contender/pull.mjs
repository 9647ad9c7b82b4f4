// Pulls one image, as a process of its own, so that its CPU time and memory are those of a pull: node contender/pull.mjs ADDRESS NAMESPACE IMAGE [daemon]
import { createClient } from "@wfe-containerd/client";

const [address, namespace, image, via] = process.argv.slice(2);
const client = createClient({ address, namespace });
const start = performance.now();
await client.images.pull(image, { auth: "anonymous", via });
// Without what it takes to start Node and to load the modules, which a process that runs longer does once.
console.log((performance.now() - start) / 1000);
await client.close();
