import type { Interceptor } from "@connectrpc/connect";

type AnyCall = Parameters<Interceptor>[0];

/** The call with its interceptors around it: the first is the outermost. */
export function intercepted<Call>(call: Call, interceptors: readonly Interceptor[]): Call {
  return interceptors.reduceRight<AnyCall>(
    (inner, intercept) => intercept(inner),
    call as unknown as AnyCall,
  ) as unknown as Call;
}
