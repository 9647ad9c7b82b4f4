/** Media types of the OCI image spec, and docker's equivalents (image manifest version 2, schema 2). */
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

/** The type of an index entry that does not name its type. Such an entry cannot be read. */
export const UNKNOWN_MEDIA_TYPE = "application/octet-stream";

export function isIndex(mediaType: string): boolean {
  return mediaType === MEDIA_TYPES.index || mediaType === MEDIA_TYPES.dockerIndex;
}

export function isManifest(mediaType: string): boolean {
  return mediaType === MEDIA_TYPES.manifest || mediaType === MEDIA_TYPES.dockerManifest;
}

/**
 * Whether the type is a manifest of docker's schema 1. docker has not written it since 2017, and containerd
 * 2.1 no longer reads it.
 */
export function isSchema1(mediaType: string): boolean {
  return /^application\/vnd\.docker\.distribution\.manifest\.v1\+(?:json|prettyjws)$/.test(mediaType);
}

/**
 * Whether the type is a part of a checkpoint, for example a process's memory or a container's record.
 * `ctr containers checkpoint` stores a checkpoint as an image.
 */
export function isCheckpoint(mediaType: string): boolean {
  return /^application\/vnd\.containerd\.container\.(?:criu\.)?checkpoint\./.test(mediaType);
}

/**
 * Whether the type is the config of a container image. Artifacts that are stored like images have other
 * types.
 */
export function isImageConfig(mediaType: string): boolean {
  return mediaType === MEDIA_TYPES.config || mediaType === MEDIA_TYPES.dockerConfig;
}

/**
 * Whether the type is a layer that must not be passed on. Clients download such a layer from the `urls` of
 * its descriptor (OCI image spec, layer.md).
 */
export function isNonDistributable(mediaType: string): boolean {
  return /^application\/vnd\.(?:oci\.image\.layer\.nondistributable|docker\.image\.rootfs\.foreign)\./.test(
    mediaType,
  );
}

/**
 * Whether the type is a layer with files, which can be unpacked. Signatures and other artifacts that are
 * stored as layers have other types.
 */
export function isLayer(mediaType: string): boolean {
  return /^application\/vnd\.(?:oci\.image\.layer\.|docker\.image\.rootfs\.(?:diff|foreign))/.test(mediaType);
}
