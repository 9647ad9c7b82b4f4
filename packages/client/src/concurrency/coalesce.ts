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
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  let isOver = false;
  let failure: { readonly reason: unknown } | undefined;
  let wake = (): void => undefined;

  function change(): Promise<void> {
    return new Promise((resolve) => {
      wake = resolve;
    });
  }

  async function pump(): Promise<void> {
    try {
      while (!isOver) {
        const { done, value } = await iterator.next();
        if (done === true) break;
        held.push(value);
        heldBytes += value.byteLength;
        wake();
        while (heldBytes >= maxBytes && !isOver) await room();
      }
    } catch (reason) {
      failure = { reason };
    }
    isOver = true;
    wake();
  }

  let hasRoom = (): void => undefined;
  function room(): Promise<void> {
    return new Promise((resolve) => {
      hasRoom = resolve;
    });
  }

  const pumping = pump();
  try {
    for (;;) {
      while (heldBytes === 0 && !isOver) await change();
      if (heldBytes === 0) break;
      const given = held;
      held = [];
      heldBytes = 0;
      hasRoom();
      yield given;
    }
    if (failure !== undefined) throw failure.reason;
  } finally {
    isOver = true;
    hasRoom();
    // A source that waits for bytes ends only when its iterator is closed.
    await iterator.return?.();
    await pumping;
  }
}
