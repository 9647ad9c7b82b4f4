import { toBinary } from "@bufbuild/protobuf";
import { type WriteContentRequest, WriteContentRequestSchema } from "@wfe-containerd/proto/services/content";
import { refuse } from "../refuse.js";

/** Enough bytes for all fields other than the data, and for the data's tag and length. */
const HEAD_BYTES = 1024;
/** The tag of WriteContentRequest's field `bytes data = 6`. */
const DATA_TAG = (6 << 3) | 2;

/** Allocates a buffer for requests with up to `dataBytes` bytes of data. */
export function allocateRequest(dataBytes: number): Buffer {
  return Buffer.allocUnsafeSlow(HEAD_BYTES + dataBytes);
}

/**
 * Encodes a request for the wire. The data is copied once. Protobuf's own writer would copy it twice, into
 * newly allocated memory.
 *
 * @param request without data.
 * @param space a buffer from {@link allocateRequest}. It is overwritten.
 */
export function encodeWrite(
  request: WriteContentRequest,
  data: readonly Uint8Array[],
  space: Buffer,
): Buffer {
  const head = toBinary(WriteContentRequestSchema, request);
  if (head.byteLength > HEAD_BYTES - 8) {
    refuse(`ref: ${request.ref.slice(0, 100)}… is too long for the name of an ingest`);
  }
  space.set(head);
  let at = head.byteLength;
  space[at++] = DATA_TAG;
  let length = data.reduce((sum, { byteLength }) => sum + byteLength, 0);
  for (; length > 0x7f; length >>>= 7) space[at++] = (length & 0x7f) | 0x80;
  space[at++] = length;
  for (const part of data) {
    space.set(part, at);
    at += part.byteLength;
  }
  return space.subarray(0, at);
}
