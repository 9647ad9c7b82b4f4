/**
 * Passes chunks on, and detects a stalled reader: one that takes no chunk for `stallMs` milliseconds.
 *
 * @param onStall called once; it must end the transfer itself.
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
