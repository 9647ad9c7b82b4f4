import { setTimeout as delay } from "node:timers/promises";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Envelope } from "@wfe-containerd/proto/types/event";
import type { AnyValue } from "../any.js";
import type { Context } from "../context.js";
import { ContainerdError } from "../error.js";
import { type EventPayload, toEventPayload } from "./payload.js";

interface EventBase {
  readonly timestamp: Date;
  /** The namespace that it happened in. */
  readonly namespace: string;
  /** `/tasks/exit` and the like. */
  readonly topic: string;
}

/** One of containerd's own: `type` is the name of the message that is its `payload`, `containerd.events.TaskExit`. */
export type KnownEvent<Payload extends EventPayload = EventPayload> = Payload extends EventPayload
  ? EventBase & { readonly type: Payload["$typeName"]; readonly payload: Payload }
  : never;

/** Somebody else's event, or one that this version does not know: as it came. */
export interface OtherEvent extends EventBase {
  readonly type: "other";
  readonly payload: AnyValue;
}

/**
 * The connection was cut, and now the subscription stands again. What happened in between was not seen and does not come again:
 * containerd keeps no events. Whoever follows a state looks at it anew. `topic` and `namespace` are empty, `timestamp` is this
 * machine's.
 */
export interface EventGap extends EventBase {
  readonly type: "gap";
  /** Why. */
  readonly payload: ContainerdError;
}

export type ContainerdEvent = KnownEvent | OtherEvent | EventGap;

export interface SubscribeOptions {
  /** containerd's filter language, any of which must match: `topic=="/tasks/exit"`, `topic~="^/images/"`, `event.container_id==x`. */
  readonly filters?: readonly string[] | undefined;
  /** Those of every namespace. Default: those of the client's own. */
  readonly allNamespaces?: boolean | undefined;
  /** Aborting it ends the iteration, without an error. */
  readonly signal?: AbortSignal | undefined;
}

/** Events as they happen, to be iterated once. Leaving the loop, aborting the signal, and disposing this all end the subscription. */
export interface Subscription extends AsyncIterable<ContainerdEvent>, AsyncDisposable {
  /**
   * Subscribes, where otherwise the first step of the iteration does. Once this has resolved, the daemon has the subscription: what is
   * begun after it will be seen.
   *
   * @throws ContainerdError as the iteration does, which may be the one to tell of a filter that is none.
   */
  ready(): Promise<void>;
}

/** containerd's events (`services/events/v1`). */
export interface Events {
  /**
   * Follows what happens, until `signal` is aborted. A connection that is cut is made again, however long that takes, which a
   * {@link EventGap} then tells. The iteration throws ContainerdError `unavailable` when the daemon is not there to begin with,
   * `invalid-argument` for a filter that is none.
   */
  subscribe(options?: SubscribeOptions): Subscription;
}

const FIRST_DELAY_MS = 50;
const LONGEST_DELAY_MS = 1_000;

export function createEvents(context: Context): Events {
  return {
    subscribe({ filters = [], allNamespaces = false, signal } = {}) {
      const end = new AbortController();
      const stop = (): void => end.abort();
      if (signal?.aborted === true) stop();
      signal?.addEventListener("abort", stop, { once: true });
      let markReady = (): void => undefined;
      const ready = new Promise<void>((resolve) => {
        markReady = resolve;
      });
      const events = follow(context, {
        filters: allNamespaces ? [...filters] : ownFilters(filters, context.namespace),
        signal: end.signal,
        onReady: markReady,
        onEnd() {
          stop();
          signal?.removeEventListener("abort", stop);
        },
      });
      let first: Promise<IteratorResult<ContainerdEvent>> | undefined;
      return {
        async ready() {
          first ??= events.next();
          await Promise.race([ready, first]);
        },
        [Symbol.asyncIterator]: () => ({
          async next() {
            const taken = first ?? events.next();
            first = undefined;
            return taken;
          },
          return: () => events.return(undefined),
        }),
        async [Symbol.asyncDispose]() {
          stop();
          signal?.removeEventListener("abort", stop);
          await first?.catch(() => undefined);
          await events.return(undefined);
        },
      };
    },
  };
}

interface FollowOptions {
  readonly filters: string[];
  readonly signal: AbortSignal;
  readonly onReady: () => void;
  readonly onEnd: () => void;
}

async function* follow(
  { services }: Context,
  { filters, signal, onReady, onEnd }: FollowOptions,
): AsyncGenerator<ContainerdEvent, undefined> {
  let delayMs = FIRST_DELAY_MS;
  let cut: ContainerdError | undefined;
  let isFirst = true;
  try {
    while (!signal.aborted) {
      try {
        const envelopes = services.events
          .subscribe({ filters }, { signal, timeoutMs: 0 })
          [Symbol.asyncIterator]();
        let next = envelopes.next();
        next.catch(() => undefined);
        // The daemon answers a subscription with nothing until something happens. It gets this after it, on the same connection; a
        // filter that it refuses ends the stream instead.
        await Promise.race([services.version.version({}, { signal }), next]);
        onReady();
        if (cut !== undefined) yield gap(cut);
        isFirst = false;
        delayMs = FIRST_DELAY_MS;
        cut = undefined;
        for (let envelope = await next; envelope.done !== true; envelope = await next) {
          yield toEvent(envelope.value);
          next = envelopes.next();
        }
        cut = new ContainerdError("the daemon ended it", { kind: "unavailable", operation: OPERATION });
      } catch (reason) {
        if (signal.aborted) return;
        if (isFirst || !isCut(reason)) throw toError(reason);
        cut ??= toError(reason);
      }
      await delay(delayMs, undefined, { signal }).catch(() => undefined);
      delayMs = Math.min(delayMs * 2, LONGEST_DELAY_MS);
    }
  } finally {
    onEnd();
  }
}

const OPERATION = "subscribe to events";

/** Filters are alternatives, and each is a conjunction: the namespace joins every one. */
function ownFilters(filters: readonly string[], namespace: string): string[] {
  const own = `namespace==${JSON.stringify(namespace)}`;
  return filters.length === 0 ? [own] : filters.map((filter) => (filter === "" ? own : `${filter},${own}`));
}

function toEvent({ timestamp, namespace, topic, event }: Envelope): ContainerdEvent {
  const base = {
    timestamp: timestamp === undefined ? new Date(0) : timestampDate(timestamp),
    namespace,
    topic,
  };
  const any = event ?? { typeUrl: "", value: new Uint8Array() };
  const payload = toEventPayload(any);
  if (payload === undefined) {
    return { ...base, type: "other", payload: { typeUrl: any.typeUrl, value: any.value } };
  }
  return { ...base, type: payload.$typeName, payload } as KnownEvent;
}

function gap(reason: ContainerdError): EventGap {
  return { type: "gap", timestamp: new Date(), namespace: "", topic: "", payload: reason };
}

/** containerd 1.6 and 1.7 refuse a filter without saying of what kind that error is. */
function toError(reason: unknown): ContainerdError {
  const error = ContainerdError.from(reason, OPERATION);
  if (error.kind !== "unknown" || !/parsing subscription filters/.test(error.message)) return error;
  return new ContainerdError(error.message, { kind: "invalid-argument", cause: error.cause });
}

function isCut(reason: unknown): boolean {
  return (
    reason instanceof ConnectError && (reason.code === Code.Unavailable || reason.code === Code.Canceled)
  );
}
