import { readFile } from "node:fs/promises";
import { uptime } from "node:os";
import type { Client } from "@wfe-containerd/client";
import { type Moment, msUntil } from "../core/recovery/deadline.js";
import type { StepRecord } from "../core/recovery/step-record.js";
import type { RecordedStep } from "./recorded-step.js";

/**
 * The time now, by the clocks that outlive this process.
 *
 * @param isSameMachine whether the daemon runs on this machine. If a time is only compared, it does not
 * matter: the id of a boot says which machine's it is.
 */
export async function readMoment(isSameMachine: boolean, daemonMs: number): Promise<Moment> {
  if (!isSameMachine) return { daemonMs };
  const id = await readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => "");
  return id === "" ? { daemonMs } : { boot: { id: id.trim(), uptimeMs: uptime() * 1000 }, daemonMs };
}

/**
 * As {@link readMoment}, if the daemon's clock is not known. A daemon tells its time with each lease that it
 * makes.
 */
export async function askMoment(client: Client, isSameMachine = true): Promise<Moment> {
  await using lease = await client.leases.create({ expireMs: LEASE_MS });
  return readMoment(isSameMachine, lease.createdAt.getTime());
}

const LEASE_MS = 60_000;

/** Tells which steps should have ended. It asks for the time once, when the first step has a deadline. */
export function createOverdueCheck(client: Client): (step: Pick<RecordedStep, "found">) => Promise<boolean> {
  let moment: Promise<Moment> | undefined;
  return async ({ found }) => {
    if (found.kind !== "record" || found.record.deadline === undefined) return false;
    moment ??= askMoment(client);
    return isPastDeadline(found.record, await moment);
  };
}

/** Whether a step should have ended, with its grace period: whoever has it does not see to it. */
export function isPastDeadline({ deadline, stop }: StepRecord, now: Moment): boolean {
  return deadline !== undefined && msUntil(deadline, now) + stop.graceMs < 0;
}
