import { createDeferred, type Deferred } from "../deferred.js";
import { ExecutorError } from "../error.js";
import type { StepEvent } from "../event.js";

/** Above this many queued bytes a reader is asked to wait, or, when nobody iterates, the oldest output goes. */
const HIGH_WATER_BYTES = 256 * 1024;
const UNHEARD_BYTES = 1024 * 1024;
/** What an event takes besides what it says: many small ones are no smaller than a large one. */
const EVENT_BYTES = 128;

/**
 * One step's events on their way to one consumer, in bounded memory.
 *
 * - While a consumer iterates, `push` returns a promise once 256 KiB are waiting: who produces waits with it.
 * - While none has come yet, nothing waits: the newest mebibyte of output is kept, and a `gap` event tells what is missing; of the values of one
 *   output, the last.
 * - After the consumer left (a `break` out of the loop), events are dropped.
 *
 * How far a blob is replaces how far it was before, where nobody took that yet.
 */
export interface EventQueue {
  push(event: StepEvent): Promise<void> | undefined;
  /** No event follows. */
  close(): void;
  /** Nobody wants them (any more): keep nothing, and let nobody wait. */
  discard(): void;
  /** False once nothing that is pushed can be seen by anybody: output then need not be copied. */
  readonly isHeard: boolean;
  iterate(): AsyncGenerator<StepEvent, void, undefined>;
}

export function createEventQueue(): EventQueue {
  /** In order; by a key, which an event that replaces another has from that. */
  const events = new Map<string | number, StepEvent>();
  let pushed = 0;
  let queuedBytes = 0;
  /** Of the queued, those of output: other events are few. */
  let outputBytes = 0;
  let lostBytes = 0;
  let consumer: "none" | "iterating" | "gone" = "none";
  let closed = false;
  let wakeConsumer: (() => void) | undefined;
  let room: Deferred<void> | undefined;
  /** Goes over each event once, in search of the oldest output. */
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

  function keyOf(event: StepEvent): string | number {
    if (event.type === "progress") return `${event.state} ${event.what}`;
    // Who iterates hears of each value, and makes who prints them wait.
    if (event.type === "output-value" && consumer === "none") return `=${event.key}`;
    return pushed++;
  }

  function forgetOldest(): void {
    while (outputBytes > UNHEARD_BYTES) {
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
        // What is pushed meanwhile is gone over as well.
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
      events.set(key, event);
      count(event, 1);
      wakeConsumer?.();
      if (consumer === "none") {
        forgetOldest();
        return undefined;
      }
      if (queuedBytes <= HIGH_WATER_BYTES) return undefined;
      room ??= createDeferred<void>();
      return room.promise;
    },
    close() {
      closed = true;
      wakeConsumer?.();
      // A consumer that no longer takes anything must not hold up the release.
      makeRoom();
    },
    discard: drop,
    get isHeard() {
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
  // A character may take two bytes.
  if (event.type === "output-value") return EVENT_BYTES + 2 * (event.key.length + event.value.length);
  return EVENT_BYTES;
}
