import { Code, ConnectError } from "@connectrpc/connect";

interface Cancellable {
  cancel(): void;
}

/** The calls that are under way on a channel: grpc-js lets them go on when the channel is closed. */
export interface OpenCalls {
  /** Runs what opens a call. @throws ConnectError `failed_precondition` after {@link close}. */
  open<Call extends Cancellable>(start: () => Call): Call;
  done(call: Cancellable): void;
  /** Cancels them all, and lets no more begin. */
  close(): void;
}

export function createOpenCalls(): OpenCalls {
  const calls = new Set<Cancellable>();
  let isClosed = false;
  return {
    open(start) {
      if (isClosed) throw new ConnectError("the client is closed", Code.FailedPrecondition);
      const call = start();
      calls.add(call);
      return call;
    },
    done: (call) => void calls.delete(call),
    close() {
      isClosed = true;
      for (const call of calls) call.cancel();
    },
  };
}
