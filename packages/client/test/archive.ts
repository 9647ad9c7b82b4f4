import { type BuiltImage, toBlob } from "@wfe-containerd/test-infra/images";
import { type Header, pack } from "tar-stream";

/** An entry of an archive. It is written unchanged, even if it is invalid. */
export interface RawEntry extends Partial<Header> {
  readonly name: string;
  readonly body?: string | Uint8Array | undefined;
}

/** A tar with exactly these entries. */
export async function tarOf(entries: readonly RawEntry[]): Promise<Buffer> {
  const tar = pack();
  for (const { body, ...header } of entries) {
    if (body === undefined) tar.entry(header);
    else tar.entry(header, Buffer.from(body));
  }
  tar.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of tar as AsyncIterable<Uint8Array>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The entries of an OCI layout with one image. Tests change them. */
export function layoutEntries({ manifest, config, layers }: BuiltImage, name?: string): RawEntry[] {
  return [
    { name: "oci-layout", body: JSON.stringify({ imageLayoutVersion: "1.0.0" }) },
    ...[manifest, config, ...layers].map(({ digest, bytes }) => ({ name: blobPath(digest), body: bytes })),
    { name: "index.json", body: indexOf([[manifest, name]]) },
  ];
}

export function indexOf(
  manifests: readonly (readonly [
    { readonly digest: string; readonly bytes: Uint8Array },
    string | undefined,
  ])[],
): string {
  return JSON.stringify({
    schemaVersion: 2,
    manifests: manifests.map(([{ digest, bytes }, name]) => ({
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      digest,
      size: bytes.byteLength,
      ...(name !== undefined && { annotations: { "io.containerd.image.name": name } }),
    })),
  });
}

export function blobPath(digest: string): string {
  return `blobs/${digest.replace(":", "/")}`;
}

/** Collects everything that an iteration gives. */
export async function all<T>(source: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const each of source) found.push(each);
  return found;
}

interface RawManifest {
  readonly config: object;
  readonly layers: readonly object[];
}

/** The image with a changed manifest, and the right digest for it. */
export function changeManifest(image: BuiltImage, change: (manifest: RawManifest) => object): BuiltImage {
  const manifest = JSON.parse(Buffer.from(image.manifest.bytes).toString()) as RawManifest;
  return { ...image, manifest: toBlob(change(manifest)) };
}

/** The image with another `rootfs` in its config, and the right digests for it. */
export function changeRootfs(image: BuiltImage, rootfs: object): BuiltImage {
  const config = toBlob({ ...JSON.parse(Buffer.from(image.config.bytes).toString()), rootfs });
  const { manifest } = changeManifest(image, (before) => ({
    ...before,
    config: { ...before.config, digest: config.digest, size: config.bytes.byteLength },
  }));
  return { ...image, config, manifest };
}
