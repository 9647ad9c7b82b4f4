/**
 * Watches whoever takes chunks from a source: when none is taken for so long, it has stalled.
 *
 * @param onStall is called once; to end the transfer is its business.
 */
export async function* detectStall(
  source: AsyncIterable<Uint8Array>,
  stallMs: number,
  onStall: () => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  const timer = setTimeout(onStall, stallMs);
  try {
    for await (const chunk of source) {
      timer.refresh();
      yield chunk;
    }
  } finally {
    clearTimeout(timer);
  }
}
