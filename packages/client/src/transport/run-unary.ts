import { create, type DescMessage, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import type { Interceptor, UnaryRequest, UnaryResponse } from "@connectrpc/connect";
import { openCallSignal } from "./call-signal.js";
import { intercepted } from "./intercepted.js";

/** A unary call, as Connect's `runUnaryCall` takes it. */
export interface UnaryRun<I extends DescMessage, O extends DescMessage> {
  readonly interceptors: readonly Interceptor[];
  /** The caller's. */
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number | undefined;
  readonly req: Omit<UnaryRequest<I, O>, "signal" | "message"> & { readonly message: MessageInitShape<I> };
  readonly next: (request: UnaryRequest<I, O>) => Promise<UnaryResponse<I, O>>;
}

/**
 * Runs a unary call with its interceptors and its deadline.
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
  const { signal, fail, end } = openCallSignal(given, timeoutMs);
  try {
    const response = await intercepted(next, interceptors)({ ...req, message, signal });
    end();
    return response;
  } catch (reason) {
    throw fail(reason);
  }
}
