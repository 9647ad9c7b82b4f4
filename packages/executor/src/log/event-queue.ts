import { createDeferred, type Deferred } from "@wfe-containerd/client/internal";
import { ExecutorError } from "../error.js";
import type { StepEvent } from "../event.js";

/** While a consumer iterates: above this many queued bytes, the producer must wait. */
const HIGH_WATER_BYTES = 256 * 1024;
/** Before a consumer comes: above this many bytes of output, the oldest is dropped. */
const UNREAD_BYTES = 1024 * 1024;
/** The most output that one event has. */
export const OUTPUT_BLOCK_BYTES = 64 * 1024;
/** What is queued, the next output, and what is left unused at the end. */
const RING_BYTES = UNREAD_BYTES + 3 * OUTPUT_BLOCK_BYTES;
/**
 * The memory that an event takes apart from its data. Many small events must not take more than one large
 * event.
 */
const EVENT_BYTES = 128;

/**
 * A queue of one step's events for one consumer, in bounded memory.
 *
 * - While a consumer iterates, `push` returns a promise if more than 256 KiB are waiting. The producer waits
 *   for it.
 * - Before a consumer comes, nothing waits. The newest MiB of output is kept, and a `gap` event tells how
 *   much is missing. Of each output's values, only the last is kept.
 * - After the consumer has left (a `break` out of the loop), events are dropped.
 *
 * A progress event replaces an older one of the same blob and state that was not consumed yet.
 */
export interface EventQueue {
  /** Output is copied, because its bytes may be the reader's own buffer. */
  push(event: StepEvent): Promise<void> | undefined;
  /** From now on no producer waits for the consumer. Used when the output is over, and few events follow. */
  stopWaiting(): void;
  /** From now on a producer waits again: another attempt of the step follows. */
  waitAgain(): void;
  /** No more events will be pushed. */
  close(): void;
  /** Nobody will read events (any more): drops them, and lets no producer wait. */
  discard(): void;
  /** False once pushed events can no longer be read. Output then need not be copied. */
  readonly isReadable: boolean;
  /**
   * The events, in order. May be called once.
   *
   * @throws ExecutorError `invalid-argument` if it was called before.
   */
  iterate(): AsyncGenerator<StepEvent, void, undefined>;
}

export function createEventQueue(): EventQueue {
  /** Queued events in order. An event that replaces another has the same key. */
  const events = new Map<string | number, StepEvent>();
  let pushed = 0;
  let queuedBytes = 0;
  /** The bytes of queued output events. Other events are few. */
  let outputBytes = 0;
  let lostBytes = 0;
  let consumer: "none" | "iterating" | "gone" = "none";
  let closed = false;
  let isEnding = false;
  let wakeConsumer: (() => void) | undefined;
  let room: Deferred<void> | undefined;
  /** Where output is kept before a consumer comes. Copies that are dropped later would be old garbage. */
  let ring: Uint8Array | undefined;
  let ringAt = 0;
  /** Visits each event once, in search of the oldest output. */
  let oldest = events.entries();

  function makeRoom(): void {
    room?.resolve(undefined);
    room = undefined;
  }

  function drop(): void {
    consumer = "gone";
    events.clear();
    queuedBytes = 0;
    outputBytes = 0;
    makeRoom();
  }

  function count(event: StepEvent, sign: 1 | -1): void {
    const bytes = sign * sizeOf(event);
    queuedBytes += bytes;
    if (event.type === "output") outputBytes += bytes;
  }

  function remove(key: string | number): void {
    const event = events.get(key);
    if (event !== undefined) count(event, -1);
    events.delete(key);
  }

  function copyOf(event: StepEvent): StepEvent {
    if (event.type !== "output") return event;
    const length = event.data.byteLength;
    // Not with slice(): that of a Buffer does not copy.
    const fits = length <= OUTPUT_BLOCK_BYTES && outputBytes > UNREAD_BYTES / 2;
    if (consumer !== "none" || !fits) return { ...event, data: new Uint8Array(event.data) };
    ring ??= new Uint8Array(RING_BYTES);
    if (ringAt + length > RING_BYTES) ringAt = 0;
    const data = ring.subarray(ringAt, ringAt + length);
    ringAt += length;
    data.set(event.data);
    return { ...event, data };
  }

  function keyOf(event: StepEvent): string | number {
    if (event.type === "progress") return `${event.state} ${event.what}`;
    // A consumer that iterates gets every value, and the producer waits for it.
    if (event.type === "output-value" && consumer === "none") return `=${event.key}`;
    return pushed++;
  }

  function forgetOldest(): void {
    while (outputBytes > UNREAD_BYTES) {
      const { value, done } = oldest.next();
      if (done === true) {
        oldest = events.entries();
        continue;
      }
      const [key, event] = value;
      if (event.type !== "output") continue;
      lostBytes += event.data.byteLength;
      remove(key);
    }
  }

  async function* iterate(): AsyncGenerator<StepEvent, void, undefined> {
    try {
      if (lostBytes > 0) yield { type: "gap", bytes: lostBytes };
      for (;;) {
        // A Map also visits entries that are added during the loop.
        for (const [key, event] of events) {
          remove(key);
          if (queuedBytes <= HIGH_WATER_BYTES / 2) makeRoom();
          yield event;
        }
        if (closed) return;
        await new Promise<void>((resolve) => {
          wakeConsumer = resolve;
        });
      }
    } finally {
      drop();
    }
  }

  return {
    push(event) {
      if (consumer === "gone" || closed) return undefined;
      const key = keyOf(event);
      remove(key);
      const copy = copyOf(event);
      events.set(key, copy);
      count(copy, 1);
      wakeConsumer?.();
      if (consumer === "none") {
        forgetOldest();
        return undefined;
      }
      if (isEnding) return undefined;
      if (queuedBytes <= HIGH_WATER_BYTES) return undefined;
      room ??= createDeferred<void>();
      return room.promise;
    },
    stopWaiting() {
      isEnding = true;
      // A consumer that no longer reads must not delay the release.
      makeRoom();
    },
    waitAgain() {
      isEnding = false;
    },
    close() {
      closed = true;
      wakeConsumer?.();
      makeRoom();
    },
    discard: drop,
    get isReadable() {
      return consumer !== "gone" && !closed;
    },
    iterate() {
      if (consumer !== "none") {
        throw new ExecutorError("a step's events can be iterated once: this handle's already are, or were", {
          kind: "invalid-argument",
        });
      }
      consumer = "iterating";
      return iterate();
    },
  };
}

function sizeOf(event: StepEvent): number {
  if (event.type === "output") return EVENT_BYTES + event.data.byteLength;
  // A character may take two bytes in memory.
  if (event.type === "output-value") return EVENT_BYTES + 2 * (event.key.length + event.value.length);
  return EVENT_BYTES;
}
