import type { Index, Manifest } from "../oci/manifest.js";
import { isIndexDocument } from "../oci/manifest.js";
import { isImageConfig, isLayer, isManifest } from "../oci/media-type.js";

const GC_REFERENCE = "containerd.io/gc.ref.content.";

/**
 * The labels that lead containerd's garbage collector from an index or manifest to its children. An index
 * names all its manifests, even those that were not fetched. Source: containerd's `images.ChildGCLabels`.
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
