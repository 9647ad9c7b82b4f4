import { createNotifier } from "./notifier.js";
/**
 * Collects chunks while the reader is busy. So a fast source gives few large groups, and a slow source gives
 * each chunk as it arrives. If the source fails, the chunks before the failure are given first.
 *
 * @param maxBytes about how many bytes are buffered, and given in one group.
 */
export async function* coalesce(
  source: AsyncIterable<Uint8Array>,
  maxBytes: number,
): AsyncGenerator<Uint8Array[], void, undefined> {
  const iterator = source[Symbol.asyncIterator]();
  let buffered: Uint8Array[] = [];
  let bufferedBytes = 0;
  let isOver = false;
  let failure: { readonly reason: unknown } | undefined;
  const filled = createNotifier();
  const emptied = createNotifier();

  async function pump(): Promise<void> {
    try {
      while (!isOver) {
        const { done, value } = await iterator.next();
        if (done === true) break;
        buffered.push(value);
        bufferedBytes += value.byteLength;
        filled.notify();
        while (bufferedBytes >= maxBytes && !isOver) await emptied.wait();
      }
    } catch (reason) {
      failure = { reason };
    }
    isOver = true;
    filled.notify();
  }

  const pumping = pump();
  try {
    for (;;) {
      while (bufferedBytes === 0 && !isOver) await filled.wait();
      if (bufferedBytes === 0) break;
      const given = buffered;
      buffered = [];
      bufferedBytes = 0;
      emptied.notify();
      yield given;
    }
    if (failure !== undefined) throw failure.reason;
  } finally {
    isOver = true;
    emptied.notify();
    // A source that waits for bytes ends only when its iterator is closed.
    await iterator.return?.();
    await pumping;
  }
}
