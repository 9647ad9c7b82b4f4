import type { Client, Lease } from "@wfe-containerd/client";
import { expect, test } from "vitest";
import { later } from "../core/recovery/deadline.js";
import type { StepRecord } from "../core/recovery/step-record.js";
import { askMoment, isPastDeadline, readMoment } from "./clock.js";

const HOUR_MS = 3_600_000;
/** A daemon whose clock is at this time. */
const daemonAt = (time: number): Client => {
  const lease = {
    createdAt: new Date(time),
    [Symbol.asyncDispose]: async () => undefined,
  } as unknown as Lease;
  return { leases: { create: async () => lease } } as unknown as Client;
};
const record = (timeoutMs: number | undefined, at: Awaited<ReturnType<typeof readMoment>>) =>
  ({ stop: { graceMs: 1_000 }, deadline: timeoutMs && later(at, timeoutMs) }) as StepRecord;

test("a step is past its deadline when its grace period is over, too; one without a limit never is", async () => {
  const start = await readMoment(false, 50_000);
  expect(isPastDeadline(record(2_000, start), await askMoment(daemonAt(52_500)))).toBe(false);
  expect(isPastDeadline(record(2_000, start), await askMoment(daemonAt(53_500)))).toBe(true);
  expect(isPastDeadline(record(undefined, start), await askMoment(daemonAt(53_500)))).toBe(false);
});

test("on the same machine the daemon's clock may be set: only the time since the boot counts", async () => {
  const start = await readMoment(true, 0);
  expect(isPastDeadline(record(HOUR_MS, start), await askMoment(daemonAt(2 * HOUR_MS)))).toBe(false);
  expect(isPastDeadline(record(-HOUR_MS, start), await askMoment(daemonAt(-2 * HOUR_MS)))).toBe(true);
});
