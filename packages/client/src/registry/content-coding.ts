import { pipeline, Readable, type Transform } from "node:stream";
import { createBrotliDecompress, createGunzip, createInflate, createInflateRaw } from "node:zlib";
import { createByteReader } from "../byte-reader.js";
import { ContainerdError } from "../error.js";
import { isZstd, unzstd } from "../zstd.js";
import { failureOf, uselessAnswer } from "./failure.js";

/** Each coding costs one pass over the whole body. A server has no reason to apply more than two. */
const MOST_CODINGS = 4;
const ALLOWED = "gzip, deflate, br, zstd, identity";

/**
 * Reads Content-Encoding headers. Returns the codings in the order in which they were applied, without
 * `identity`, which stands for no coding.
 */
export function parseCodings(headers: readonly string[]): string[] {
  return headers
    .flatMap((header) => header.split(","))
    .map((name) =>
      name
        .trim()
        .toLowerCase()
        .replace(/^x-(?=gzip$)/, ""),
    )
    .filter((name) => name !== "" && name !== "identity");
}

/**
 * Decodes a body. Requests ask for no coding, but some servers and proxies apply one anyway.
 *
 * @param what the subject of an error message.
 * @throws ContainerdError `not-implemented` for an unknown coding, or for too many; `data-loss` if the body
 * is not in the coding that the header names; and any error of `body`.
 */
export async function* decodeBody(
  what: string,
  codings: readonly string[],
  body: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (codings.length > MOST_CODINGS)
    throw uselessAnswer(
      `${what} has ${codings.length} content codings; allowed: up to ${MOST_CODINGS}`,
      "not-implemented",
    );
  let decoded = body;
  for (const coding of codings.toReversed()) decoded = decodeOne(what, coding, decoded);
  yield* decoded;
}

async function* decodeOne(
  what: string,
  coding: string,
  body: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const source = body[Symbol.asyncIterator]();
  try {
    const first = await source.next();
    // The answer to a HEAD has no body, and an empty body has no coding.
    if (first.done === true) return;
    const whole = prepend(first.value, { [Symbol.asyncIterator]: () => source });
    if (coding === "zstd") return yield* decodeZstd(what, whole);
    const decoder = createDecoder(what, coding, first.value);
    // The loop below gets the errors of this pipeline.
    pipeline(Readable.from(whole), decoder, () => undefined);
    yield* decoder as AsyncIterable<Uint8Array>;
  } catch (reason) {
    if (reason instanceof ContainerdError && !isBadZstd(reason)) throw reason;
    throw uselessAnswer(
      `${what} says Content-Encoding: ${coding}, but its body is not in that coding`,
      "data-loss",
    );
  } finally {
    await source.return?.();
  }
}

/** Reads all frames; one that is no zstd at all would be passed over as what follows the last one. */
async function* decodeZstd(
  what: string,
  body: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = createByteReader(body);
  const head = await reader.read(4);
  if (!isZstd(head)) throw new Error("no zstd");
  yield* unzstd(prepend(head, reader.pieces()), what);
}

/** What the body itself throws says more than that its compression ends too early. */
function isBadZstd(reason: ContainerdError): boolean {
  return reason.kind === "invalid-argument" && failureOf(reason) === undefined;
}

async function* prepend(first: Uint8Array, rest: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield first;
  yield* rest;
}

function createDecoder(what: string, coding: string, first: Uint8Array): Transform {
  switch (coding) {
    case "gzip":
      return createGunzip();
    case "deflate":
      // RFC 9110 means zlib's format, but some servers send raw deflate. The first byte tells which one it
      // is.
      return ((first[0] ?? 0) & 0x0f) === 8 ? createInflate() : createInflateRaw();
    case "br":
      return createBrotliDecompress();
    default:
      throw uselessAnswer(
        `${what} has the content coding ${JSON.stringify(coding.slice(0, 50))}; allowed: ${ALLOWED}`,
        "not-implemented",
      );
  }
}
