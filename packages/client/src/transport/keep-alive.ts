import { Metadata, status as Status } from "@grpc/grpc-js";
import type { StartCall } from "./channel-call.js";
import type { Sockets } from "./socket.js";

interface KeepAliveOptions {
  readonly start: StartCall;
  /** Whether anything waits on the connection. */
  readonly isBusy: () => boolean;
  readonly sockets: Sockets;
  readonly intervalMs: number;
}

const LONGEST_ANSWER_MS = 10_000;
/**
 * The time for an answer passes in so many parts. A process that was stopped or starved finds one of them over, however long it was away, and
 * then still reads what has come meanwhile.
 */
const PARTS = 4;
/** The cheapest thing to ask, which every containerd answers, in any namespace. */
const PATH = "/containerd.services.version.v1.Version/Version";

/**
 * Notices that a connection was cut without a word, while calls wait on it: nothing comes in for so long though something was asked. The
 * calls then fail as `unavailable`, and the next one connects anew.
 *
 * It asks for the version, since containerd's server answers HTTP/2 pings more often than every five minutes on a quiet connection
 * by ending it (gRPC-Go's default policy).
 *
 * @returns what stops it.
 */
export function keepAlive({ start, isBusy, sockets, intervalMs }: KeepAliveOptions): () => void {
  let asking = false;

  function ask(): void {
    if (asking || !isBusy()) return;
    asking = true;
    const readBefore = sockets.bytesRead;
    const call = start(PATH, new Metadata(), {
      onReceiveMetadata: () => undefined,
      onReceiveMessage: () => undefined,
      onReceiveStatus() {
        // Any status will do: a refusal is an answer too.
        asking = false;
        clearInterval(timer);
      },
    });
    call.sendMessageWithContext({}, Buffer.alloc(0));
    call.halfClose();
    call.startRead();
    let partsLeft = PARTS;
    const timer = setInterval(() => {
      if (--partsLeft > 0) return;
      clearInterval(timer);
      // On a slow line the answer may stand in a queue behind what somebody reads.
      const isCut = sockets.bytesRead === readBefore;
      call.cancelWithStatus(Status.CANCELLED, "no answer");
      if (isCut) sockets.destroy();
    }, Math.min(intervalMs, LONGEST_ANSWER_MS) / PARTS);
    timer.unref();
  }

  const interval = setInterval(ask, intervalMs);
  interval.unref();
  return () => clearInterval(interval);
}
