import type { DescMethod } from "@bufbuild/protobuf";
import { ConnectError, type ContextKey, type ContextValues, createContextKey } from "@connectrpc/connect";
import { RPC } from "./channels.js";
import type { RpcDiagnostic } from "./messages.js";

/** The number of the attempt, for a call that is repeated. */
export const ATTEMPT: ContextKey<number> = createContextKey(1);

/** What all calls of one transport have in common. */
export interface RpcPlace extends Pick<RpcDiagnostic, "address" | "transport"> {
  readonly namespace: string;
}

/** Runs a unary call. */
export function traceUnary<T>(
  method: DescMethod,
  place: RpcPlace,
  contextValues: ContextValues | undefined,
  call: () => Promise<T>,
): Promise<T> {
  if (!RPC.hasSubscribers) return call();
  const message = messageOf(method, place, contextValues, false);
  return RPC.run(
    message,
    () => noteFailure(message, call()),
    () => {
      message.code = 0;
    },
  );
}

/**
 * Opens a stream.
 *
 * @param signal aborted when the reader stops before the end.
 */
export async function traceStream<T, Response extends { readonly message: AsyncIterable<T> }>(
  method: DescMethod,
  place: RpcPlace,
  contextValues: ContextValues | undefined,
  signal: AbortSignal | undefined,
  open: () => Promise<Response>,
): Promise<Response> {
  if (!RPC.hasSubscribers) return open();
  const message = messageOf(method, place, contextValues, true);
  const running = RPC.start(message);
  const stop = (): void => end();
  function end(failure?: { readonly reason: unknown }): void {
    signal?.removeEventListener("abort", stop);
    if (failure === undefined) message.code ??= 0;
    running.end(failure);
  }
  signal?.addEventListener("abort", stop, { once: true });
  try {
    const response = await noteFailure(message, open());
    const messages = response.message[Symbol.asyncIterator]();
    const next = async (): Promise<IteratorResult<T>> => {
      try {
        const result = await noteFailure(message, messages.next());
        if (result.done === true) end();
        return result;
      } catch (reason) {
        end({ reason });
        throw reason;
      }
    };
    return { ...response, message: { [Symbol.asyncIterator]: () => ({ next }) } };
  } catch (reason) {
    end({ reason });
    throw reason;
  }
}

function messageOf(
  { parent, name }: DescMethod,
  { address, transport, namespace }: RpcPlace,
  contextValues: ContextValues | undefined,
  isStream: boolean,
): RpcDiagnostic {
  return {
    service: parent.typeName,
    method: name,
    isStream,
    address,
    transport,
    namespace,
    attempt: contextValues?.get(ATTEMPT) ?? 1,
    durationMs: undefined,
    code: undefined,
    errorKind: undefined,
  };
}

async function noteFailure<T>(message: RpcDiagnostic, call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (reason) {
    message.code = ConnectError.from(reason).code;
    throw reason;
  }
}
