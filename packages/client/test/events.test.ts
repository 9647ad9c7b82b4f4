import { getEventListeners } from "node:events";
import { type Client, type ContainerdEvent, createClient, type Subscription } from "@wfe-containerd/client";
import { useDaemon } from "@wfe-containerd/test-infra/daemon";
import { describe, expect, test } from "vitest";

const at = useDaemon({ image: false });

/** The next event. Fails if the iteration has ended. */
async function nextOf(events: AsyncIterator<ContainerdEvent>): Promise<ContainerdEvent> {
  const { done, value } = await events.next();
  if (done === true) throw new Error("the iteration has ended");
  return value as ContainerdEvent;
}

async function opened(subscription: Subscription): Promise<AsyncIterator<ContainerdEvent>> {
  await subscription.ready();
  return subscription[Symbol.asyncIterator]();
}

/**
 * Makes a snapshot and removes it: two events. A lease protects it, because otherwise a garbage collection
 * might remove it first.
 */
async function touch(client: Client, key: string): Promise<void> {
  await using lease = await client.leases.create();
  const { snapshots } = client.with({ leaseId: lease.id });
  await snapshots.prepare(key);
  await snapshots.remove(key);
}

describe("events", () => {
  test("come typed by what they are, in the order they happen", async () => {
    const { client } = at;
    await using subscription = client.events.subscribe({ filters: ['topic~="^/snapshot/"'] });
    const events = await opened(subscription);
    await touch(client, "event-1");
    const prepared = await nextOf(events);
    expect(prepared).toMatchObject({
      type: "containerd.events.SnapshotPrepare",
      namespace: client.namespace,
    });
    expect(prepared.topic).toBe("/snapshot/prepare");
    expect(Math.abs(prepared.timestamp.getTime() - Date.now())).toBeLessThan(60_000);
    // The event's type decides the type of its payload.
    if (prepared.type !== "containerd.events.SnapshotPrepare") throw new Error("narrowed to nothing");
    expect(prepared.payload.key).toBe("event-1");
    expect(await nextOf(events)).toMatchObject({
      type: "containerd.events.SnapshotRemove",
      payload: { key: "event-1" },
    });
  });

  test("of other namespaces come only when asked for", async () => {
    const { client } = at;
    const other = client.with({ namespace: "other" });
    await using ownSubscription = client.events.subscribe();
    await using allSubscription = client.events.subscribe({ allNamespaces: true });
    const own = await opened(ownSubscription);
    const all = await opened(allSubscription);
    await touch(other, "elsewhere");
    await touch(client, "here");
    expect(await nextOf(own)).toMatchObject({ payload: { key: "here" } });
    const namespaces = new Set<string>();
    for (let event = await nextOf(all); event.namespace !== client.namespace; event = await nextOf(all))
      namespaces.add(event.namespace);
    expect(namespaces).toContain("other");
    await client.namespaces.delete("other");
  });

  test("that nobody here knows come as they are", async () => {
    const { client } = at;
    await using subscription = client.events.subscribe({ filters: ['topic=="/somebody/elses"'] });
    const events = await opened(subscription);
    const event = { typeUrl: "example.Thing", value: Buffer.from([1, 2]) };
    await client.services.events.publish({ topic: "/somebody/elses", event });
    expect(await nextOf(events)).toMatchObject({ type: "other", topic: "/somebody/elses", payload: event });
  });

  test("are all seen once the subscription is ready, however late the daemon comes to it", async () => {
    let hasSubscribed = false;
    let laterCalls = 0;
    let letGo = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    await using client = createClient({
      address: at.daemon.address,
      namespace: at.client.namespace,
      interceptors: [
        (next) => async (request) => {
          if (request.method.name === "Subscribe") {
            await held;
            hasSubscribed = true;
            return next(request);
          }
          const answer = await next(request);
          if (++laterCalls === 2) letGo();
          return answer;
        },
      ],
    });
    await using subscription = client.events.subscribe({ filters: ['topic=="/snapshot/prepare"'] });
    await subscription.ready();
    const isInPlace = hasSubscribed;
    letGo();
    expect(isInPlace).toBe(true);
    await touch(at.client, "at-once");
    const events = subscription[Symbol.asyncIterator]();
    expect(await nextOf(events)).toMatchObject({ payload: { key: "at-once" } });
  });

  test("a filter that is none is refused", async () => {
    const { client } = at;
    const read = async (): Promise<ContainerdEvent> =>
      nextOf(await opened(client.events.subscribe({ filters: ["topic=~("] })));
    await expect(read()).rejects.toMatchObject({ kind: "invalid-argument" });
  });

  test("an abort ends the loop without an error, and leaves nothing on the signal", async () => {
    const { client } = at;
    const controller = new AbortController();
    const subscription = client.events.subscribe({ signal: controller.signal });
    const events = await opened(subscription);
    const next = events.next();
    controller.abort();
    expect(await next).toEqual({ done: true, value: undefined });
    expect(getEventListeners(controller.signal, "abort")).toEqual([]);
    const seen: ContainerdEvent[] = [];
    for await (const event of client.events.subscribe({ signal: controller.signal })) seen.push(event);
    expect(seen).toEqual([]);
    expect(getEventListeners(controller.signal, "abort")).toEqual([]);
  });

  test("leaving the loop ends the subscription", async () => {
    const { client } = at;
    const controller = new AbortController();
    const subscription = client.events.subscribe({ signal: controller.signal });
    await subscription.ready();
    await touch(client, "leave");
    for await (const event of subscription) {
      expect(event.type).toBe("containerd.events.SnapshotPrepare");
      break;
    }
    expect(getEventListeners(controller.signal, "abort")).toEqual([]);
    expect(await subscription[Symbol.asyncIterator]().next()).toEqual({ done: true, value: undefined });
  });

  test("disposing ends a subscription that somebody waits on", async () => {
    const subscription = at.client.events.subscribe();
    const next = (await opened(subscription)).next();
    await subscription[Symbol.asyncDispose]();
    expect(await next).toEqual({ done: true, value: undefined });
  });

  test("a daemon that was never there is an error, no wait", async () => {
    await using client = createClient({ address: `${at.daemon.directory}/no.sock` });
    await expect(client.events.subscribe().ready()).rejects.toMatchObject({ kind: "unavailable" });
  });

  test("closing the client ends its subscriptions with an error", async () => {
    const client = createClient({ address: at.daemon.address });
    const events = await opened(client.events.subscribe());
    const next = events.next();
    await client.close();
    await expect(next).rejects.toMatchObject({ name: "ContainerdError" });
  });

  test("a daemon that comes back is subscribed to again, and the gap is told", async () => {
    const { client, daemon } = at;
    await using subscription = client.events.subscribe();
    const events = await opened(subscription);
    const gap = nextOf(events);
    daemon.kill("SIGKILL");
    await daemon.exited;
    await daemon.restart();
    expect(await gap).toMatchObject({
      type: "gap",
      namespace: "",
      topic: "",
      payload: { name: "ContainerdError" },
    });
    await touch(client, "after");
    expect(await nextOf(events)).toMatchObject({ payload: { key: "after" } });
  });
});

describe("namespaces", () => {
  test("are created, labelled, listed and deleted", async () => {
    const { client } = at;
    const created = await client.namespaces.create("team-1", { labels: { owner: "ann", tier: "a" } });
    expect(created).toEqual({ name: "team-1", labels: { owner: "ann", tier: "a" } });
    await expect(client.namespaces.create("team-1")).rejects.toMatchObject({ kind: "already-exists" });
    await client.namespaces.setLabels("team-1", { owner: "bob", tier: "", size: "s" });
    const found = (await client.namespaces.list()).find(({ name }) => name === "team-1");
    expect(found?.labels).toEqual({ owner: "bob", size: "s" });
    await client.namespaces.delete("team-1");
    expect((await client.namespaces.list()).map(({ name }) => name)).not.toContain("team-1");
    await expect(client.namespaces.delete("team-1")).rejects.toMatchObject({ kind: "not-found" });
  });

  test("with something in them stay", async () => {
    const { client } = at;
    const full = client.with({ namespace: "full" });
    await full.containers.create({ id: "something", spec: { ociVersion: "1.0.2" } });
    await expect(client.namespaces.delete("full")).rejects.toMatchObject({ kind: "failed-precondition" });
    await full.containers.delete("something");
    await client.namespaces.delete("full");
  });

  test("of names that cannot be are refused before anything is sent", async () => {
    const { client } = at;
    for (const name of ["", "a b", "a\r\nb", "-a", "a".repeat(77)]) {
      await expect(client.namespaces.create(name)).rejects.toMatchObject({ kind: "invalid-argument" });
      await expect(client.namespaces.delete(name)).rejects.toMatchObject({ kind: "invalid-argument" });
    }
  });
});
