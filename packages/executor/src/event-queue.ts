import { createDeferred, type Deferred } from "./deferred.js";
import { ExecutorError } from "./error.js";
import type { StepEvent } from "./event.js";

/** Above this many queued output bytes a reader is asked to wait, or, when nobody iterates, the oldest events go. */
const HIGH_WATER_BYTES = 256 * 1024;
const UNHEARD_BYTES = 1024 * 1024;

/**
 * One step's events on their way to one consumer, in bounded memory.
 *
 * - While a consumer iterates, `push` returns a promise once 256 KiB are waiting: who produces waits with it.
 * - While none has come yet, nothing waits: the newest mebibyte is kept, and a `gap` event tells what is missing.
 * - After the consumer left (a `break` out of the loop), events are dropped.
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
  let events: StepEvent[] = [];
  let queuedBytes = 0;
  let lostBytes = 0;
  let consumer: "none" | "iterating" | "gone" = "none";
  let closed = false;
  let wakeConsumer: (() => void) | undefined;
  let room: Deferred<void> | undefined;

  function makeRoom(): void {
    room?.resolve(undefined);
    room = undefined;
  }

  function drop(): void {
    consumer = "gone";
    events = [];
    queuedBytes = 0;
    makeRoom();
  }

  function forgetOldest(): void {
    while (queuedBytes > UNHEARD_BYTES) {
      const oldest = events.findIndex((event) => event.type === "output");
      const [lost] = events.splice(oldest, 1);
      lostBytes += sizeOf(lost);
      queuedBytes -= sizeOf(lost);
    }
  }

  async function* iterate(): AsyncGenerator<StepEvent, void, undefined> {
    try {
      if (lostBytes > 0) yield { type: "gap", bytes: lostBytes };
      for (;;) {
        const event = events.shift();
        if (event !== undefined) {
          queuedBytes -= sizeOf(event);
          if (queuedBytes <= HIGH_WATER_BYTES / 2) makeRoom();
          yield event;
        } else if (closed) {
          return;
        } else {
          await new Promise<void>((resolve) => {
            wakeConsumer = resolve;
          });
        }
      }
    } finally {
      drop();
    }
  }

  return {
    push(event) {
      if (consumer === "gone" || closed) return undefined;
      events.push(event);
      queuedBytes += sizeOf(event);
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

function sizeOf(event: StepEvent | undefined): number {
  return event?.type === "output" ? event.data.byteLength : 0;
}
