/** Media types of OCI's image spec, and docker's of the same meaning (image manifest version 2, schema 2). */
export const MEDIA_TYPES = {
  index: "application/vnd.oci.image.index.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar",
  layerGzip: "application/vnd.oci.image.layer.v1.tar+gzip",
  layerZstd: "application/vnd.oci.image.layer.v1.tar+zstd",
  dockerIndex: "application/vnd.docker.distribution.manifest.list.v2+json",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
  dockerConfig: "application/vnd.docker.container.image.v1+json",
  dockerLayer: "application/vnd.docker.image.rootfs.diff.tar",
  dockerLayerGzip: "application/vnd.docker.image.rootfs.diff.tar.gzip",
} as const;

/** What an index's entry has that does not say its type: nobody knows how to read it. */
export const UNKNOWN_MEDIA_TYPE = "application/octet-stream";

export function isIndex(mediaType: string): boolean {
  return mediaType === MEDIA_TYPES.index || mediaType === MEDIA_TYPES.dockerIndex;
}

export function isManifest(mediaType: string): boolean {
  return mediaType === MEDIA_TYPES.manifest || mediaType === MEDIA_TYPES.dockerManifest;
}

/** Manifests that docker has not written since 2017, and containerd 2.1 no longer reads. */
export function isSchema1(mediaType: string): boolean {
  return /^application\/vnd\.docker\.distribution\.manifest\.v1\+(?:json|prettyjws)$/.test(mediaType);
}

/** Parts of what `ctr containers checkpoint` stores as an image: a process's memory, a container's record. */
export function isCheckpoint(mediaType: string): boolean {
  return /^application\/vnd\.containerd\.container\.(?:criu\.)?checkpoint\./.test(mediaType);
}

/** The config of an image, and not of another artifact that is stored as one. */
export function isImageConfig(mediaType: string): boolean {
  return mediaType === MEDIA_TYPES.config || mediaType === MEDIA_TYPES.dockerConfig;
}

/** A layer that is not to be passed on; those who pull it have it from the `urls` of its descriptor (OCI image spec, layer.md). */
export function isNonDistributable(mediaType: string): boolean {
  return /^application\/vnd\.(?:oci\.image\.layer\.nondistributable|docker\.image\.rootfs\.foreign)\./.test(
    mediaType,
  );
}

/** A file system layer that an unpacker can apply; not a signature or another artifact that is stored as a layer. */
export function isLayer(mediaType: string): boolean {
  return /^application\/vnd\.(?:oci\.image\.layer\.|docker\.image\.rootfs\.(?:diff|foreign))/.test(mediaType);
}
