import { type Blob, type BuiltImage, toBlob } from "../images/build.js";

const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const INDEX = "application/vnd.oci.image.index.v1+json";

/**
 * Puts images into a registry byte for byte as they were built, over plain HTTP. skopeo does not: it
 * compresses layers that are not compressed.
 *
 * @param origin the registry's, for example `http://127.0.0.1:5000`.
 * @returns the tag's target: the manifest, or an index if there are several images.
 */
export async function putAsBuilt(
  origin: string,
  repository: string,
  tag: string,
  images: readonly BuiltImage[],
): Promise<{ mediaType: string; digest: string; size: number }> {
  const base = `${origin}/v2/${repository}`;
  for (const { config, layers, manifest } of images) {
    for (const blob of [config, ...layers]) await putBlob(base, blob);
    await putManifest(base, manifest.digest, MANIFEST, manifest.bytes);
  }
  const [only] = images;
  let target = only?.manifest as Blob;
  if (images.length > 1) {
    target = toBlob({
      schemaVersion: 2,
      mediaType: INDEX,
      manifests: images.map(({ manifest, architecture, variant }) => ({
        mediaType: MANIFEST,
        digest: manifest.digest,
        size: manifest.bytes.byteLength,
        platform: { os: "linux", architecture, ...(variant !== undefined && { variant }) },
      })),
    });
  }
  const mediaType = images.length > 1 ? INDEX : MANIFEST;
  await putManifest(base, tag, mediaType, target.bytes);
  return { mediaType, digest: target.digest, size: target.bytes.byteLength };
}

export async function putBlob(base: string, { digest, bytes }: Blob): Promise<void> {
  const begun = await expectOk(await fetch(`${base}/blobs/uploads/`, { method: "POST" }));
  const to = new URL(begun.headers.get("location") ?? "", base);
  to.searchParams.set("digest", digest);
  await expectOk(await fetch(to, { method: "PUT", body: bytes as Uint8Array<ArrayBuffer> }));
}

export async function putManifest(
  base: string,
  tag: string,
  mediaType: string,
  bytes: Uint8Array,
): Promise<void> {
  const headers = { "content-type": mediaType };
  await expectOk(
    await fetch(`${base}/manifests/${tag}`, {
      method: "PUT",
      headers,
      body: bytes as Uint8Array<ArrayBuffer>,
    }),
  );
}

async function expectOk(response: Response): Promise<Response> {
  if (!response.ok) throw new Error(`${response.url} answers ${response.status}: ${await response.text()}`);
  return response;
}
