import { create, type DescMessage, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import type { Interceptor, StreamRequest, StreamResponse } from "@connectrpc/connect";
import { openCallSignal } from "./call-signal.js";
import { intercepted } from "./intercepted.js";

/** A streaming call, as Connect's `runStreamingCall` takes it. */
export interface StreamingRun<I extends DescMessage, O extends DescMessage> {
  readonly interceptors: readonly Interceptor[];
  /** The caller's. */
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number | undefined;
  readonly req: Omit<StreamRequest<I, O>, "signal" | "message"> & {
    readonly message: AsyncIterable<MessageInitShape<I>>;
  };
  readonly next: (request: StreamRequest<I, O>) => Promise<StreamResponse<I, O>>;
}

/**
 * Runs a streaming call with its interceptors and its deadline. When the call is over, whatever its end, the
 * source of the messages that go out is told that no more of them are taken.
 *
 * @throws ConnectError
 */
export async function runStreaming<I extends DescMessage, O extends DescMessage>({
  interceptors,
  signal: given,
  timeoutMs,
  req,
  next,
}: StreamingRun<I, O>): Promise<StreamResponse<I, O>> {
  const { signal, fail, end } = openCallSignal(given, timeoutMs);
  const outgoing = req.message[Symbol.asyncIterator]();
  const stopOutgoing = (): void => void outgoing.return?.().catch(() => undefined);
  signal.addEventListener("abort", () => {
    void outgoing.throw?.(signal.reason).catch(() => undefined);
    stopOutgoing();
  });
  const message = {
    [Symbol.asyncIterator]: () => ({
      async next(): Promise<IteratorResult<MessageShape<I>>> {
        const each = await outgoing.next();
        if (each.done === true) return { done: true, value: undefined };
        return { done: false, value: create(req.method.input, each.value) as MessageShape<I> };
      },
      async return(): Promise<IteratorResult<MessageShape<I>>> {
        await outgoing.return?.();
        return { done: true, value: undefined };
      },
    }),
  };
  try {
    const response = await intercepted(next, interceptors)({ ...req, message, signal });
    const incoming = response.message[Symbol.asyncIterator]();
    return withMessages(response, async () => {
      try {
        const each = await incoming.next();
        if (each.done === true) {
          end();
          stopOutgoing();
        }
        return each;
      } catch (reason) {
        throw fail(reason);
      }
    });
  } catch (reason) {
    throw fail(reason);
  }
}

/** The same response with other messages. Its headers are made only when somebody looks at them. */
export function withMessages<I extends DescMessage, O extends DescMessage>(
  response: StreamResponse<I, O>,
  next: () => Promise<IteratorResult<MessageShape<O>>>,
): StreamResponse<I, O> {
  const { stream, service, method } = response;
  return {
    stream,
    service,
    method,
    get header() {
      return response.header;
    },
    get trailer() {
      return response.trailer;
    },
    message: { [Symbol.asyncIterator]: () => ({ next }) },
  };
}
