import { ContainerdError, type Content, type Descriptor } from "@wfe-containerd/client";
import { pack } from "tar-stream";
import { type Blob, toBlob } from "./build.js";

export const INDEX = "application/vnd.oci.image.index.v1+json";
export const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
export const CONFIG = "application/vnd.oci.image.config.v1+json";
export const LAYER = "application/vnd.oci.image.layer.v1.tar+gzip";

/** An image's blobs in memory, and a content store that contains them and records each read. */
export interface Documents {
  readonly blobs: ReadonlyMap<string, Uint8Array>;
  /** Digests in the order of the reads. */
  readonly reads: string[];
  readonly content: Content;
  add(value: object | Uint8Array, mediaType: string, more?: Partial<Descriptor>): Descriptor;
  /** @param config without `rootfs`, which is added. */
  addImage(config: object, options?: { layers?: readonly string[]; configType?: string }): Descriptor;
  addIndex(entries: readonly object[]): Descriptor;
  remove(descriptor: { readonly digest: string }): void;
  /** Packs all blobs as the tar of an OCI layout. */
  archive(
    entries: readonly (Descriptor | readonly [Descriptor, Readonly<Record<string, string>>])[],
  ): Promise<Buffer>;
}

export function createDocuments(): Documents {
  const blobs = new Map<string, Uint8Array>();
  const reads: string[] = [];
  const find = (digest: string): Uint8Array => {
    const bytes = blobs.get(digest);
    if (bytes !== undefined) return bytes;
    throw new ContainerdError(`content ${digest}: not found`, { kind: "not-found" });
  };
  const content: Pick<Content, "info" | "readAll"> = {
    info: async (digest) => ({ digest, size: find(digest).byteLength, labels: {}, createdAt: new Date(0) }),
    async readAll(digest) {
      reads.push(digest);
      return find(digest);
    },
  };
  const keep = ({ digest, bytes }: Blob): { digest: string; size: number } => {
    blobs.set(digest, bytes);
    return { digest, size: bytes.byteLength };
  };
  const add: Documents["add"] = (value, mediaType, more) => ({ mediaType, ...keep(toBlob(value)), ...more });

  return {
    blobs,
    reads,
    content: content as Content,
    add,
    addImage(config, { layers = ["a layer"], configType = CONFIG } = {}) {
      const all = layers.map((each) => add(Buffer.from(each), LAYER));
      const rootfs = { type: "layers", diff_ids: all.map(({ digest }) => digest) };
      return add({ schemaVersion: 2, config: add({ ...config, rootfs }, configType), layers: all }, MANIFEST);
    },
    addIndex: (manifests) => add({ schemaVersion: 2, mediaType: INDEX, manifests }, INDEX),
    remove: ({ digest }) => void blobs.delete(digest),
    async archive(entries) {
      const tar = pack();
      const write = (name: string, bytes: Uint8Array | string): void =>
        void tar.entry({ name, mtime: new Date(0) }, Buffer.from(bytes));
      write("oci-layout", JSON.stringify({ imageLayoutVersion: "1.0.0" }));
      for (const [digest, bytes] of blobs) write(`blobs/${digest.replace(":", "/")}`, bytes);
      const manifests = entries.map((entry) => {
        if (!Array.isArray(entry)) return entry;
        const [descriptor, annotations] = entry as [Descriptor, object];
        return { ...descriptor, annotations };
      });
      write("index.json", JSON.stringify({ schemaVersion: 2, manifests }));
      tar.finalize();
      const chunks: Uint8Array[] = [];
      for await (const chunk of tar) chunks.push(chunk as Uint8Array);
      return Buffer.concat(chunks);
    },
  };
}

/**
 * Adds indexes above an image. Each one lists the next one many times, so a few kilobytes contain millions of
 * paths.
 *
 * @returns the outermost index.
 */
export function addLadder(
  documents: Documents,
  image: Descriptor,
  { depth, width }: { readonly depth: number; readonly width: number },
): Descriptor {
  let target = image;
  for (let level = 0; level < depth; level++)
    target = documents.addIndex(Array.from({ length: width }, () => target));
  return target;
}
