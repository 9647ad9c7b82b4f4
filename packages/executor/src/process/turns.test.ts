import type { Client } from "@wfe-containerd/client";
import { createDeferred } from "@wfe-containerd/client/internal";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createTurns } from "./turns.js";

/** A daemon with one container, which changes labels one after the other. */
function daemonWith(labels: Record<string, string> = {}, kind = "cgroup1") {
  const change = (changed: Readonly<Record<string, string>>) => {
    Object.assign(labels, changed);
    for (const name of Object.keys(labels)) if (labels[name] === "") delete labels[name];
    return { labels: { ...labels } };
  };
  const containers = {
    update: async (_: string, options: { labels: Record<string, string> }) => change(options.labels),
    setLabels: async (_: string, changed: Record<string, string>) => void change(changed),
    get: async () => ({ labels: { ...labels } }),
  };
  const metrics = vi.fn(async () => ({ kind }));
  return { labels, metrics, client: { containers, tasks: { metrics } } as unknown as Client };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("a process is not started while another one freezes the container, nor the other way round", async () => {
  const { client, labels } = daemonWith();
  const [one, other] = [createTurns("one"), createTurns("other")];
  const seen: string[] = [];
  const running = createDeferred<void>();
  const first = one.start(client, "c", async () => {
    seen.push("start");
    await running.promise;
    seen.push("started");
  });
  const freezing = other.freeze(client, "c", async () => void seen.push("freeze"));
  await vi.advanceTimersByTimeAsync(1_000);
  const second = one.start(client, "c", async () => void seen.push("start beside it"));
  await second;
  running.resolve();
  await first;
  const third = one.start(client, "c", async () => void seen.push("start afterwards"));
  await vi.advanceTimersByTimeAsync(1_000);
  await Promise.all([freezing, third]);
  expect(seen).toEqual(["start", "start beside it", "started", "freeze", "start afterwards"]);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(labels).toEqual({});
});

test("the mark of a process that has died holds up others for a while only", async () => {
  const dead = { "wfe-containerd/turn.dead": "start 1" };
  const { client, labels } = daemonWith(dead);
  const done = vi.fn();
  const freezing = createTurns("one").freeze(client, "c", async () => done());
  await vi.advanceTimersByTimeAsync(179_000);
  expect(done).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(2_000);
  await freezing;
  expect(done).toHaveBeenCalledOnce();
  expect(labels).toEqual({});
});

test("a failure gives the turn back", async () => {
  const { client, labels } = daemonWith();
  const turns = createTurns("one");
  const fail = () => Promise.reject(new Error("no"));
  await expect(turns.start(client, "c", fail)).rejects.toThrow("no");
  await expect(turns.freeze(client, "c", fail)).rejects.toThrow("no");
  expect(labels).toEqual({});
  expect(await turns.start(client, "c", async () => "started")).toBe("started");
});

test("with control groups of version 2, nothing is marked, and they are asked for once", async () => {
  const { client, labels, metrics } = daemonWith({}, "cgroup2");
  const turns = createTurns("one");
  const seen = async () => ({ ...labels });
  expect(await turns.start(client, "c", seen)).toEqual({});
  expect(await turns.freeze(client, "c", seen)).toEqual({});
  expect(metrics).toHaveBeenCalledOnce();
});
