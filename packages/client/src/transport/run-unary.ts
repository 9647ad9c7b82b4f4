import { create, type DescMessage, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type Interceptor,
  type UnaryRequest,
  type UnaryResponse,
} from "@connectrpc/connect";
import { getAbortSignalReason } from "@connectrpc/connect/protocol";

/** A unary call, as Connect's `runUnaryCall` takes it. */
export interface UnaryRun<I extends DescMessage, O extends DescMessage> {
  readonly interceptors: readonly Interceptor[];
  /** The caller's. */
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number | undefined;
  readonly req: Omit<UnaryRequest<I, O>, "signal" | "message"> & { readonly message: MessageInitShape<I> };
  readonly next: (request: UnaryRequest<I, O>) => Promise<UnaryResponse<I, O>>;
}

type AnyCall = Parameters<Interceptor>[0];

/**
 * Runs a unary call with its interceptors and its deadline. It does what Connect's `runUnaryCall` does, but
 * does not abort the call's signal after a call that succeeded. That makes a DOMException with a stack trace
 * each time, which takes a good part of a call's CPU.
 *
 * @throws ConnectError
 */
export async function runUnary<I extends DescMessage, O extends DescMessage>({
  interceptors,
  signal: given,
  timeoutMs,
  req,
  next,
}: UnaryRun<I, O>): Promise<UnaryResponse<I, O>> {
  const message = create(req.method.input, req.message) as MessageShape<I>;
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
  try {
    const run = interceptors.reduceRight<AnyCall>(
      (inner, intercept) => intercept(inner),
      next as unknown as AnyCall,
    ) as unknown as typeof next;
    return await run({ ...req, message, signal });
  } catch (reason) {
    const error = signal.aborted
      ? ConnectError.from(getAbortSignalReason(signal), Code.Canceled)
      : ConnectError.from(reason);
    controller.abort(error);
    throw error;
  } finally {
    clearTimeout(timer);
    given?.removeEventListener("abort", onAbort);
  }
}
