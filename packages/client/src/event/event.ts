import type { Envelope } from "@wfe-containerd/proto/types/event";
import type { AnyValue } from "../any.js";
import { createBackoff } from "../concurrency/backoff.js";
import { createDeferred } from "../concurrency/deferred.js";
import { isConnectionCut } from "../connection-cut.js";
import type { Context } from "../context.js";
import { ContainerdError } from "../error.js";
import type { NounOptions } from "../options.js";
import { toDate } from "../timestamp.js";
import { createMark, isMark } from "./mark.js";
import { type EventPayload, toEventPayload } from "./payload.js";

/** What every event has. */
export interface EventBase {
  readonly timestamp: Date;
  /** The namespace of the event. */
  readonly namespace: string;
  /** For example `/tasks/exit`. */
  readonly topic: string;
}

/**
 * One of containerd's own events. `type` is the name of the payload's message, for example
 * `containerd.events.TaskExit`.
 */
export type KnownEvent<Payload extends EventPayload = EventPayload> = Payload extends EventPayload
  ? EventBase & { readonly type: Payload["$typeName"]; readonly payload: Payload }
  : never;

/** An event of another program, or one that this version does not know. The payload is not decoded. */
export interface OtherEvent extends EventBase {
  readonly type: "other";
  readonly payload: AnyValue;
}

/**
 * The connection was cut, and the subscription has been made again. Events in between are lost, because
 * containerd does not store events. If you track a state, read it again now. `topic` and `namespace` are
 * empty; `timestamp` is this machine's time.
 */
export interface EventGap extends EventBase {
  readonly type: "gap";
  /** Why the connection was cut. */
  readonly payload: ContainerdError;
}

/** What {@link Events.subscribe} reports. */
export type ContainerdEvent = KnownEvent | OtherEvent | EventGap;

/** Options of {@link Events.subscribe}. */
export interface SubscribeOptions {
  /**
   * Filters in containerd's filter language: `topic=="/tasks/exit"`, `topic~="^/images/"`,
   * `event.container_id==x`. An event is reported if any filter matches.
   */
  readonly filters?: readonly string[] | undefined;
  /**
   * Report the events of every namespace, not only of the client's.
   *
   * @default false
   */
  readonly allNamespaces?: boolean | undefined;
  /** Aborting it ends the iteration without an error. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * A stream of events, which can be iterated once. To end it, leave the loop, abort the signal or dispose it.
 */
export interface Subscription extends AsyncIterable<ContainerdEvent>, AsyncDisposable {
  /**
   * Subscribes now. Otherwise the first step of the iteration does. Once this has resolved, the daemon has
   * the subscription, and you will see whatever happens afterwards.
   *
   * @throws ContainerdError as the iteration does. An invalid filter may also be reported only by the
   * iteration.
   */
  ready(): Promise<void>;
}

/** containerd's events (`services/events/v1`). */
export interface Events {
  /**
   * Follows events until `signal` is aborted. If the connection is cut, it is made again, however long that
   * takes; an {@link EventGap} then reports the cut. A client with an outage waits until its deadline, also
   * if the daemon is down from the start.
   *
   * The iteration throws ContainerdError: `unavailable` when the daemon is down from the start, or past an
   * outage's deadline; `invalid-argument` for an invalid filter.
   *
   * To know that the daemon has the subscription, this publishes an event on a topic of its own below
   * `/wfe-containerd/subscribed/`, in the namespace `wfe-containerd.marks`. It is not reported, but other
   * programs that follow all namespaces see it.
   *
   * @example
   * ```
   * for await (const event of client.events.subscribe({ filters: ['topic=="/tasks/exit"'] })) {
   *   if (event.type === "containerd.events.TaskExit") console.log(event.payload.exitStatus);
   * }
   * ```
   */
  subscribe(options?: SubscribeOptions): Subscription;
}

export const EVENTS_OPTIONS: NounOptions<Events> = {
  subscribe: ["0", { filters: true, allNamespaces: true, signal: true }, "throws"],
};

export function createEvents(context: Context): Events {
  return {
    subscribe({ filters = [], allNamespaces = false, signal } = {}) {
      const end = new AbortController();
      const stop = (): void => end.abort();
      if (signal?.aborted === true) stop();
      signal?.addEventListener("abort", stop, { once: true });
      const ready = createDeferred<void>();
      const events = follow(context, {
        filters: allNamespaces ? [...filters] : ownFilters(filters, context.namespace),
        signal: end.signal,
        onReady: ready.resolve,
        onEnd() {
          stop();
          signal?.removeEventListener("abort", stop);
        },
      });
      let first: Promise<IteratorResult<ContainerdEvent>> | undefined;
      return {
        async ready() {
          first ??= events.next();
          await Promise.race([ready.promise, first]);
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
  { services, outage }: Context,
  { filters, signal, onReady, onEnd }: FollowOptions,
): AsyncGenerator<ContainerdEvent, undefined> {
  const backoff = createBackoff();
  let cut: ContainerdError | undefined;
  let isFirst = true;
  const call = outage?.watch("events.subscribe", signal);
  const attempt = <T>(make: () => Promise<T>): Promise<T> =>
    call === undefined ? make() : call.attempt(make);
  try {
    while (!signal.aborted) {
      let failure: unknown;
      const arrived = new AbortController();
      try {
        const mark = createMark(services);
        const all = filters.length === 0 ? [] : [...filters, mark.filter];
        const envelopes = services.events
          .subscribe({ filters: all }, { signal, timeoutMs: 0 })
          [Symbol.asyncIterator]();
        let next = envelopes.next();
        next.catch(() => undefined);
        const marking = mark.publish(arrived.signal, signal);
        marking.catch(() => undefined);
        // The first event, the mark or another one, tells that the daemon has the subscription. If the daemon
        // refuses a filter, the stream ends instead.
        await attempt(() => Promise.race([next, marking]));
        arrived.abort();
        onReady();
        if (cut !== undefined) yield gap(cut);
        isFirst = false;
        backoff.reset();
        cut = undefined;
        for (;;) {
          const envelope = await attempt(() => next);
          if (envelope.done === true) break;
          if (!isMark(envelope.value)) yield toEvent(envelope.value);
          next = envelopes.next();
        }
        cut = new ContainerdError("the daemon ended the stream", {
          kind: "unavailable",
          operation: OPERATION,
        });
        failure = cut;
      } catch (reason) {
        if (signal.aborted) return;
        const isCut = call === undefined ? !isFirst && isConnectionCut(reason) : await call.isCut(reason);
        if (!isCut) throw toError(reason);
        // A subscription that never began has missed nothing.
        if (!isFirst) cut ??= toError(reason);
        failure = reason;
      } finally {
        arrived.abort();
      }
      const waiting = call === undefined ? backoff.wait(signal) : call.back(failure);
      await waiting.catch((reason: unknown) => {
        if (!signal.aborted) throw toError(reason);
      });
    }
  } finally {
    onEnd();
  }
}

const OPERATION = "subscribe to events";

/**
 * Adds the namespace to each filter. An event is reported if any filter matches. A filter matches if all its
 * comma-separated parts do.
 */
function ownFilters(filters: readonly string[], namespace: string): string[] {
  const own = `namespace==${JSON.stringify(namespace)}`;
  return filters.length === 0 ? [own] : filters.map((filter) => (filter === "" ? own : `${filter},${own}`));
}

function toEvent({ timestamp, namespace, topic, event }: Envelope): ContainerdEvent {
  const base = {
    timestamp: toDate(timestamp),
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

/** containerd 1.6 and 1.7 refuse an invalid filter with an error of kind `unknown`. */
function toError(reason: unknown): ContainerdError {
  const error = ContainerdError.from(reason, OPERATION);
  if (error.kind !== "unknown" || !/parsing subscription filters/.test(error.message)) return error;
  return new ContainerdError(error.message, { kind: "invalid-argument", cause: error.cause });
}
