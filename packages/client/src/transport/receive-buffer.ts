import type { StatusObject } from "@grpc/grpc-js";

/** Messages of a stream as they come in, held back when the reader is slow. */
export interface ReceiveBuffer {
  /** A message has come. */
  push(bytes: Buffer): void;
  /** The stream has ended; what came before is still there to be read. */
  end(status: StatusObject): void;
  /** Forgets what waits: nobody will read it. */
  clear(): void;
  /** The next message, or the status after the last one. */
  next(): Promise<Buffer | StatusObject>;
}

/**
 * Asks for the next message while less than `limitBytes` wait to be read: then the daemon is not kept waiting, and a slow reader holds no
 * more than that and one message.
 *
 * @param ask is called for each message that may come; the first is asked for here.
 */
export function createReceiveBuffer(limitBytes: number, ask: () => void): ReceiveBuffer {
  const messages: Buffer[] = [];
  let waitingBytes = 0;
  let asked = false;
  let status: StatusObject | undefined;
  let wake: (() => void) | undefined;

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
      wake?.();
      askForMore();
    },
    end(final) {
      status = final;
      wake?.();
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
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}
