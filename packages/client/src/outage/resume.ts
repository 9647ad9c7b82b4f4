import type { DaemonOutage } from "./daemon-outage.js";

/** What {@link resume} needs of a client. */
export interface Resumer {
  readonly outage: DaemonOutage | undefined;
}

/** Opens a stream. The signal ends it. */
export type OpenStream<T> = (signal: AbortSignal | undefined) => AsyncIterable<T>;

/**
 * Reads a stream, and opens it again after an outage. Without an outage it opens it once.
 *
 * @param what is read, for diagnostics: `content.read`.
 * @param open opens the stream where the last one was cut.
 */
export async function* resume<T>(
  { outage }: Resumer,
  what: string,
  signal: AbortSignal | undefined,
  open: OpenStream<T>,
): AsyncGenerator<T, void, undefined> {
  if (outage === undefined) return yield* open(signal);
  const call = outage.watch(what, signal);
  for (;;) {
    const end = new AbortController();
    const items = open(AbortSignal.any([end.signal, ...(signal === undefined ? [] : [signal])]))[
      Symbol.asyncIterator
    ]();
    try {
      for (;;) {
        const item = await call.attempt(() => items.next());
        if (item.done === true) return;
        yield item.value;
      }
    } catch (reason) {
      if (!(await call.isCut(reason))) throw reason;
      await call.back(reason);
    } finally {
      // The daemon may hang, so the stream's end is not awaited.
      end.abort();
    }
  }
}

/**
 * As {@link resume}, for a list, which begins anew after an outage. Items that were already given are
 * left out.
 *
 * @param nameOf tells items apart.
 */
export function resumeList<T>(
  resumer: Resumer,
  what: string,
  signal: AbortSignal | undefined,
  nameOf: (item: T) => string,
  open: OpenStream<T>,
): AsyncGenerator<T, void, undefined> {
  if (resumer.outage === undefined) return resume(resumer, what, signal, open);
  const given = new Set<string>();
  return resume(resumer, what, signal, async function* (end) {
    for await (const item of open(end)) {
      if (given.has(nameOf(item))) continue;
      given.add(nameOf(item));
      yield item;
    }
  });
}
