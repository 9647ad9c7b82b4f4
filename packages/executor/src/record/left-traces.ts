import { stat } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import type { Client } from "@wfe-containerd/client";
import { findStep } from "./found-step.js";
import type { Leftover, Pile } from "./leftover.js";
import type { StepTraces, TraceFinder } from "./step-traces.js";

/** A shim ends, and its groups go, within this time after its task was deleted. In milliseconds. */
const ENDING_MS = 2_000;

/**
 * Traces of steps of which containerd has nothing any more.
 *
 * @param ids steps that had traces before the daemon was asked for its steps, and that it does not have. A
 * step that is being created is not among them: its lease is older than its traces.
 */
export async function findLeftTraces(
  client: Client,
  finder: TraceFinder,
  ids: readonly string[],
  madeBefore: number,
): Promise<Pile[]> {
  if (ids.length === 0) return [];
  // A step that is just being released has traces for a moment longer than records.
  await delay(ENDING_MS);
  const found = await finder.find();
  const piles: Pile[] = [];
  for (const id of ids) {
    const traces = found.get(id);
    if (traces === undefined || traces.isInUse || !(await isOld(traces, madeBefore))) continue;
    if ((await findStep(client, id)) === undefined) piles.push(pileOfTraces(id, traces, finder));
  }
  return piles;
}

function pileOfTraces(id: string, { shims, groups, addresses }: StepTraces, finder: TraceFinder): Pile {
  const reason = "nothing else of the step is left";
  const part = (kind: Leftover["kind"], remove: () => Promise<void>): Pile[number] => ({
    leftover: { kind, id, stepId: id, reason },
    remove,
  });
  return [
    ...(shims.length > 0 ? [part("shim", () => finder.endShims(id))] : []),
    ...(groups.length > 0 ? [part("control-group", () => finder.removeGroups(id))] : []),
    ...(addresses.length > 0 ? [part("network-address", () => finder.freeAddresses(id))] : []),
  ];
}

async function isOld({ groups, addresses }: StepTraces, madeBefore: number): Promise<boolean> {
  for (const path of [...groups, ...addresses]) {
    const { ctimeMs = 0 } = (await stat(path).catch(() => undefined)) ?? {};
    if (ctimeMs > madeBefore) return false;
  }
  return true;
}
