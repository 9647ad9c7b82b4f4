import { randomUUID } from "node:crypto";
import type { Envelope } from "@wfe-containerd/proto/types/event";
import { createBackoff } from "../concurrency/backoff.js";
import type { Context } from "../context.js";

/** Nothing is in this namespace. Publishing in a namespace does not create it. */
const NAMESPACE = "wfe-containerd.marks";
const TOPICS = "/wfe-containerd/subscribed/";

/** An event by which a subscription knows that the daemon has it. */
export interface Mark {
  /** For the subscription, beside its own filters. */
  readonly filter: string;
  /**
   * Publishes the mark, again and again until it has arrived.
   *
   * @param signal cancels also the call that is under way.
   * @throws what a call or a signal ends with.
   */
  publish(arrived: AbortSignal, signal: AbortSignal): Promise<never>;
}

/**
 * containerd does not answer a subscription before its first event, and runs the calls of one connection in
 * any order: the answer to a later call does not tell that it has begun an earlier one. Only an event does.
 */
export function createMark({ events }: Context["services"]): Mark {
  const topic = `${TOPICS}${randomUUID()}`;
  const headers = { "containerd-namespace": NAMESPACE };
  const event = { typeUrl: "google.protobuf.Empty", value: new Uint8Array() };
  return {
    filter: `namespace==${JSON.stringify(NAMESPACE)},topic==${JSON.stringify(topic)}`,
    async publish(arrived, signal) {
      const backoff = createBackoff();
      const either = AbortSignal.any([arrived, signal]);
      for (;;) {
        await events.publish({ topic, event }, { signal, headers });
        await backoff.wait(either);
      }
    },
  };
}

/** Whether it is a mark, of any subscription: one without filters gets those of others too. */
export function isMark({ topic }: Envelope): boolean {
  return topic.startsWith(TOPICS);
}
