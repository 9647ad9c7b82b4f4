import { Metadata, status as Status } from "@grpc/grpc-js";
import type { StartCall } from "./channel-call.js";
import type { Sockets } from "./socket.js";

interface KeepAliveOptions {
  readonly start: StartCall;
  /** Whether any call waits on the connection. */
  readonly isBusy: () => boolean;
  readonly sockets: Pick<Sockets, "bytesRead" | "destroy">;
  readonly intervalMs: number;
}

const LONGEST_ANSWER_MS = 10_000;
/**
 * The time for an answer is counted in this many ticks. If this process was stopped or starved, only one tick
 * has passed when it continues, however long the stop was. So it can still read the bytes that have arrived.
 */
const PARTS = 4;
/** The cheapest call. Every containerd answers it, in any namespace. */
const PATH = "/containerd.services.version.v1.Version/Version";

/**
 * Detects a connection that broke without notice, while calls wait on it: no bytes arrive after a request.
 * The calls then fail as `unavailable`, and the next call connects again.
 *
 * The request is a Version call, not an HTTP/2 ping. containerd's server closes a quiet connection that gets
 * pings more often than every five minutes (the default policy of gRPC-Go).
 *
 * @returns a function that stops the checks.
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
        // Any status counts, because a refusal is an answer too.
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
      // On a slow network the answer may be queued behind data that another call reads. Any received byte
      // counts.
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
