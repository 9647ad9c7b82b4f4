import type { Descriptor } from "../oci/descriptor.js";
import { isImageConfig, isIndex, isLayer, isManifest } from "../oci/media-type.js";
import type { Reference } from "../oci/reference.js";
import { hostName } from "../registry/plain-http.js";

const MAX_LABEL_BYTES = 4096;

/**
 * Returns the name for the ingest of a blob, as containerd's clients build it (`remotes.MakeRefKey`). So
 * clients that pull the same blob at the same time share it.
 */
export function ingestRef({ mediaType, digest }: Descriptor): string {
  if (isManifest(mediaType)) return `manifest-${digest}`;
  if (isIndex(mediaType)) return `index-${digest}`;
  if (isLayer(mediaType)) return `layer-${digest}`;
  return isImageConfig(mediaType) ? `config-${digest}` : `unknown-${digest}`;
}

/**
 * Returns the key of the label that lists the repositories of a registry from which a blob came. A push to
 * another repository can mount it from there.
 */
export function sourceKey({ domain }: Reference): string {
  return `containerd.io/distribution.source.${hostName(domain)}`;
}

/**
 * Adds a repository to the value of {@link sourceKey}: sorted, without duplicates. The value stays unchanged
 * if the label would become too long.
 */
export function addSource(key: string, value: string | undefined, repository: string): string {
  const repositories = new Set([...(value ?? "").split(",").filter((each) => each !== ""), repository]);
  const joined = [...repositories].toSorted().join(",");
  return key.length + joined.length > MAX_LABEL_BYTES ? (value ?? "") : joined;
}
