// Pulls an image only if it has a cosign signature of ours. IMAGE names the image. COSIGN_PUBLIC_KEY names
// the file cosign.pub, which `cosign generate-key-pair` writes. A refused image is not fetched.
import { createPublicKey, verify } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createClient, type ImageToVerify, parseDescriptor } from "@wfe-containerd/client";

const { IMAGE = "", COSIGN_PUBLIC_KEY = "" } = process.env;
const key = createPublicKey(await readFile(COSIGN_PUBLIC_KEY));

/** Cosign stores an image's signatures in the same repository, under a tag made from the image's digest. */
async function verifySignature({ target, registry }: ImageToVerify): Promise<void> {
  const signatures = await registry.resolve(`${target.digest.replace(":", "-")}.sig`);
  const { layers } = JSON.parse(Buffer.from(await registry.read(signatures)).toString());
  for (const [at, layer] of layers.entries()) {
    const descriptor = parseDescriptor(`layers[${at}]`, layer);
    const signature = descriptor.annotations?.["dev.cosignproject.cosign/signature"] ?? "";
    const payload = await registry.read(descriptor);
    if (!verify("sha256", payload, key, Buffer.from(signature, "base64"))) continue;
    const { critical } = JSON.parse(Buffer.from(payload).toString());
    if (critical.image["docker-manifest-digest"] === target.digest) return;
  }
  throw new Error(`${target.digest} bears no signature of ours`);
}

await using client = createClient();
const image = await client.images.pull(IMAGE, { verify: verifySignature });
console.log(`${image.name} is signed, and here`);
