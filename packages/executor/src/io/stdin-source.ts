import { ExecutorError } from "../error.js";

/** What a process reads from its standard input. A Readable is an AsyncIterable, too. */
export type StdinSource = string | Uint8Array | AsyncIterable<string | Uint8Array>;

/** @throws ExecutorError `invalid-argument` for what cannot be read. */
export function checkStdin(source: unknown): void {
  if (source === undefined || typeof source === "string" || source instanceof Uint8Array) return;
  if (typeof source === "object" && source !== null && Symbol.asyncIterator in source) return;
  throw new ExecutorError(
    `stdin: is ${source === null ? "null" : typeof source}; allowed: text, a Uint8Array, a Readable, or another async iterable of these`,
    { kind: "invalid-argument" },
  );
}

export type Chunks = AsyncIterator<string | Uint8Array>;

export function chunksOf(source: StdinSource): Chunks {
  if (typeof source !== "string" && !(source instanceof Uint8Array)) return source[Symbol.asyncIterator]();
  return (async function* () {
    yield source;
  })();
}

/** @throws ExecutorError `io` if the source fails. */
export async function readChunk(chunks: Chunks): Promise<IteratorResult<string | Uint8Array, unknown>> {
  try {
    const next = await chunks.next();
    if (next.done !== true) checkChunk(next.value);
    return next;
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new ExecutorError(`stdin: could not be read to its end: ${message}`, { kind: "io", cause });
  }
}

function checkChunk(chunk: unknown): void {
  if (typeof chunk === "string" || chunk instanceof Uint8Array) return;
  throw new Error(`it gives ${chunk === null ? "null" : typeof chunk}; allowed: text or bytes`);
}

/** Ends the reading of a source. Not awaited: it may wait for its next chunk for ever. */
export function leaveSource(source: StdinSource, chunks: Chunks): void {
  // A Readable ends its pending read only this way.
  if (typeof source === "object" && "destroy" in source && typeof source.destroy === "function")
    source.destroy();
  else void Promise.resolve(chunks.return?.()).catch(() => undefined);
}
