import type { Descriptor } from "../oci/descriptor.js";
import type { Index, Manifest } from "../oci/manifest.js";
import { isIndexDocument } from "../oci/manifest.js";
import { isImageConfig, isIndex, isLayer, isManifest } from "../oci/media-type.js";
import type { Reference } from "../oci/reference.js";
import { hostName } from "./plain-http.js";

const GC_REFERENCE = "containerd.io/gc.ref.content.";
const MAX_LABEL_BYTES = 4096;

/**
 * The labels by which containerd's garbage collector gets from an index or manifest to what it is made of (`images.ChildGCLabels`). An index
 * names all its manifests, those too that are not brought here.
 */
export function childLabels(document: Index | Manifest): Record<string, string> {
  const children = isIndexDocument(document) ? document.manifests : [document.config, ...document.layers];
  const labels: Record<string, string> = {};
  const counts = new Map<string, number>();
  for (const { mediaType, digest } of children) {
    const key = childKey(mediaType);
    const count = counts.get(key) ?? 0;
    counts.set(key, count + 1);
    labels[count > 0 || key.endsWith(".") ? `${key}${count}` : key] = digest;
  }
  return labels;
}

function childKey(mediaType: string): string {
  if (isImageConfig(mediaType)) return `${GC_REFERENCE}config`;
  if (isManifest(mediaType)) return `${GC_REFERENCE}m.`;
  return isLayer(mediaType) ? `${GC_REFERENCE}l.` : GC_REFERENCE;
}

/** Names the ingest of a blob as containerd's clients do (`remotes.MakeRefKey`), so that whoever pulls the same at the same time shares it. */
export function ingestRef({ mediaType, digest }: Descriptor): string {
  if (isManifest(mediaType)) return `manifest-${digest}`;
  if (isIndex(mediaType)) return `index-${digest}`;
  if (isLayer(mediaType)) return `layer-${digest}`;
  return isImageConfig(mediaType) ? `config-${digest}` : `unknown-${digest}`;
}

/** Tells from which repositories of a registry a blob came: a push to another one can mount it from there. */
export function sourceKey({ domain }: Reference): string {
  return `containerd.io/distribution.source.${hostName(domain)}`;
}

/** Adds a repository to the value of {@link sourceKey}: sorted, each once. Unchanged where it would grow beyond what a label may hold. */
export function addSource(key: string, value: string | undefined, repository: string): string {
  const repositories = new Set([...(value ?? "").split(",").filter((each) => each !== ""), repository]);
  const joined = [...repositories].toSorted().join(",");
  return key.length + joined.length > MAX_LABEL_BYTES ? (value ?? "") : joined;
}
