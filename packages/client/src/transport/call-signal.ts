import { Code, ConnectError } from "@connectrpc/connect";
import { getAbortSignalReason } from "@connectrpc/connect/protocol";

/** What ends a call early: its caller, its deadline, or its failure. */
export interface CallSignal {
  readonly signal: AbortSignal;
  /**
   * Ends the call with an error.
   *
   * @returns why it ended: the abort, if that came first.
   */
  fail(reason: unknown): ConnectError;
  /**
   * The call is over, so its caller and its deadline do not matter any more. Connect also aborts the signal
   * of a call that succeeded. That makes a DOMException with a stack trace, which takes a good part of a
   * call's CPU.
   */
  end(): void;
}

/** @param given the caller's. */
export function openCallSignal(given: AbortSignal | undefined, timeoutMs: number | undefined): CallSignal {
  const controller = new AbortController();
  const { signal } = controller;
  const onAbort = (): void => controller.abort(given && getAbortSignalReason(given));
  if (given?.aborted === true) onAbort();
  else given?.addEventListener("abort", onAbort, { once: true });
  const timer =
    timeoutMs === undefined
      ? undefined
      : setTimeout(
          () => controller.abort(new ConnectError("the operation timed out", Code.DeadlineExceeded)),
          timeoutMs,
        );
  function end(): void {
    clearTimeout(timer);
    given?.removeEventListener("abort", onAbort);
  }
  return {
    signal,
    fail(reason) {
      const error = signal.aborted
        ? ConnectError.from(getAbortSignalReason(signal), Code.Canceled)
        : ConnectError.from(reason);
      controller.abort(error);
      end();
      return error;
    },
    end,
  };
}
