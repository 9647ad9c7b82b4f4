import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { type BuiltImage, toBlob } from "../images/build.js";
import { putAsBuilt, putBlob, putManifest } from "./put-as-built.js";

export interface SignedImage {
  /** The image's digest. */
  readonly digest: string;
  /** In the form of cosign.pub. */
  readonly publicKey: string;
}

const MANIFEST = "application/vnd.oci.image.manifest.v1+json";

/**
 * Pushes an image and its signature, as cosign makes it with a key pair.
 *
 * @param signed the digest to sign. Default: the image's.
 */
export async function putSignedImage(
  origin: string,
  repository: string,
  tag: string,
  image: BuiltImage,
  signed?: string,
): Promise<SignedImage> {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const { digest } = await putAsBuilt(origin, repository, tag, [image]);
  await putSignature(`${origin}/v2/${repository}`, digest, signed ?? digest, privateKey);
  return { digest, publicKey: publicKey.export({ type: "spki", format: "pem" }).toString() };
}

async function putSignature(base: string, digest: string, signed: string, key: KeyObject): Promise<void> {
  const payload = toBlob({
    critical: {
      identity: { "docker-reference": "" },
      image: { "docker-manifest-digest": signed },
      type: "cosign container image signature",
    },
    optional: null,
  });
  const config = toBlob({ architecture: "", os: "", rootfs: { type: "layers", diff_ids: [payload.digest] } });
  const manifest = toBlob({
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: {
      mediaType: "application/vnd.oci.image.config.v1+json",
      digest: config.digest,
      size: config.bytes.byteLength,
    },
    layers: [
      {
        mediaType: "application/vnd.dev.cosign.simplesigning.v1+json",
        digest: payload.digest,
        size: payload.bytes.byteLength,
        annotations: {
          "dev.cosignproject.cosign/signature": sign("sha256", payload.bytes, key).toString("base64"),
        },
      },
    ],
  });
  for (const blob of [payload, config]) await putBlob(base, blob);
  await putManifest(base, `${digest.replace(":", "-")}.sig`, MANIFEST, manifest.bytes);
}
