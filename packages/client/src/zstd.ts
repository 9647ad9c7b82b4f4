import type { Transform } from "node:stream";
import * as zlib from "node:zlib";
import { ContainerdError } from "./error.js";

/** More than this a stream may not have its reader remember: what the zstd program itself takes by default. */
const MAX_WINDOW_LOG = 27;

/**
 * Decompresses zstd, where Node can: from 22.15 on.
 *
 * @param what is compressed with it, for the error.
 * @throws ContainerdError `not-implemented` on an older Node.
 */
export function createUnzstd(what: string): Transform {
  const { createZstdDecompress, constants } = zlib as unknown as {
    createZstdDecompress?: (options: { params: Record<number, number> }) => Transform;
    constants: { readonly ZSTD_d_windowLogMax: number };
  };
  if (createZstdDecompress === undefined) {
    throw new ContainerdError(
      `${what} is compressed with zstd; allowed: gzip or none, or Node.js 22.15 or later`,
      {
        kind: "not-implemented",
      },
    );
  }
  return createZstdDecompress({ params: { [constants.ZSTD_d_windowLogMax]: MAX_WINDOW_LOG } });
}
