import type { CallOptions } from "./call.js";
import type { Services } from "./context.js";
import type { Descriptor } from "./oci/descriptor.js";
import { MEDIA_TYPES } from "./oci/media-type.js";
import { type Mount, toWireMounts } from "./snapshot.js";

/**
 * Has the daemon unpack a layer of the content store into mounts (`services/diff/v1`).
 *
 * @returns the diff ID: the digest of the layer's uncompressed archive.
 * @throws ConnectError; call it within `callService`.
 */
export async function applyDiff(
  { diff }: Services,
  { mediaType, digest, size }: Descriptor,
  mounts: readonly Mount[],
  options?: CallOptions,
): Promise<string | undefined> {
  const layer = { mediaType, digest, size: BigInt(size) };
  const { applied } = await diff.apply({ diff: layer, mounts: toWireMounts(mounts) }, options);
  return applied?.digest;
}

/**
 * Has the daemon pack everything in these mounts as an archive, and write it to the content store.
 *
 * @returns the digest of the archive.
 * @throws ConnectError; call it within `callService`.
 */
export async function packMounts(
  { diff }: Services,
  mounts: readonly Mount[],
  ref: string,
  options?: CallOptions,
): Promise<string | undefined> {
  const request = { left: [], right: toWireMounts(mounts), mediaType: MEDIA_TYPES.layer, ref };
  return (await diff.diff(request, options)).diff?.digest;
}
