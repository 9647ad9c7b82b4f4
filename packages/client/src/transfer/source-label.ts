import type { Descriptor } from "../oci/descriptor.js";
import { isImageConfig, isIndex, isLayer, isManifest } from "../oci/media-type.js";
import type { Reference } from "../oci/reference.js";
import { hostName } from "../registry/plain-http.js";

const MAX_LABEL_BYTES = 4096;

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
