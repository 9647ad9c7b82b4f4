// With exactOptionalPropertyTypes, every option may be given as undefined. The compiler finds those that may
// not, in everything that the packages export: `none` has the type never only if there is no such option.

import type * as Client from "@wfe-containerd/client";
import type * as Daemon from "@wfe-containerd/client/daemon";
import type * as Executor from "@wfe-containerd/executor";

/** Types that are looked at no further: protobuf's messages, gRPC's services, what JavaScript has itself. */
type Opaque =
  | { readonly $typeName: string }
  | { readonly kind: "message"; readonly typeName: string }
  | Client.Services
  | Client.Transport
  | Client.Interceptor
  | AbortSignal
  | Date
  | Error
  | Uint8Array
  | ReadonlyMap<unknown, unknown>
  | ReadonlySet<unknown>;

/** How many functions inside of one another are looked at: one less. */
type Less<Depth extends unknown[]> = Depth extends [unknown, ...infer Rest] ? Rest : [];

/**
 * The optional members below `T` that may not be undefined, by their paths: of the parameters and results of
 * functions, of what promises, iterables and lists contain, and of objects.
 */
type Gaps<T, Path extends string, Depth extends unknown[] = [1, 1, 1, 1, 1]> = Depth extends []
  ? never
  : T extends string | number | boolean | bigint | symbol | null | undefined | Opaque
    ? never
    : T extends (...args: infer Args) => infer Result
      ? Gaps<Args[number], `${Path}()`, Less<Depth>> | Gaps<Result, `${Path}()`, Less<Depth>>
      : T extends abstract new (
            ...args: infer Args
          ) => infer Instance
        ? Gaps<Args[number], `new ${Path}`, Less<Depth>> | Gaps<Instance, `new ${Path}`, Less<Depth>>
        : T extends PromiseLike<infer Inner> | AsyncIterable<infer Inner> | readonly (infer Inner)[]
          ? Gaps<Inner, Path, Less<Depth>>
          : {
              [K in keyof T & string]-?:
                | (Pick<T, K> extends Required<Pick<T, K>>
                    ? never
                    : { [P in K]: undefined } extends Pick<T, K>
                      ? never
                      : `${Path}.${K}`)
                | Gaps<Exclude<T[K], undefined>, `${Path}.${K}`, Depth>;
            }[keyof T & string];

declare const gaps:
  | Gaps<typeof Client, "client">
  | Gaps<typeof Daemon, "daemon">
  | Gaps<typeof Executor, "executor">;
export const none: never = gaps;
