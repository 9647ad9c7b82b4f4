import type { StatusObject } from "@grpc/grpc-js";
import { createNotifier } from "../concurrency/notifier.js";

/** Buffers the messages of a stream for a slow reader. */
export interface ReceiveBuffer {
  /** Adds a received message. */
  push(bytes: Buffer): void;
  /** Ends the stream. Messages that came before can still be read. */
  end(status: StatusObject): void;
  /** Drops all buffered messages, because they will not be read. */
  clear(): void;
  /** The next message, or the status after the last one. */
  next(): Promise<Buffer | StatusObject>;
}

/**
 * Requests the next message while less than `limitBytes` are buffered. So the daemon does not have to wait,
 * and a slow reader buffers at most that and one message more.
 *
 * @param ask requests one message. It is called once immediately.
 */
export function createReceiveBuffer(limitBytes: number, ask: () => void): ReceiveBuffer {
  const messages: Buffer[] = [];
  let waitingBytes = 0;
  let asked = false;
  let status: StatusObject | undefined;
  const notifier = createNotifier();

  function askForMore(): void {
    if (asked || status !== undefined || waitingBytes >= limitBytes) return;
    asked = true;
    ask();
  }

  askForMore();
  return {
    push(bytes) {
      asked = false;
      messages.push(bytes);
      waitingBytes += bytes.byteLength;
      notifier.notify();
      askForMore();
    },
    end(final) {
      status = final;
      notifier.notify();
    },
    clear() {
      messages.length = 0;
      waitingBytes = 0;
    },
    async next() {
      for (;;) {
        const bytes = messages.shift();
        if (bytes !== undefined) {
          waitingBytes -= bytes.byteLength;
          askForMore();
          return bytes;
        }
        if (status !== undefined) return status;
        await notifier.wait();
      }
    },
  };
}
