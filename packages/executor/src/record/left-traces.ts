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
 * @param seen what was there before the daemon was asked for its steps. So a step that is being created is
 * among the steps: its lease is older than its traces.
 * @param known the ids of the daemon's steps.
 */
export async function findLeftTraces(
  client: Client,
  finder: TraceFinder,
  seen: ReadonlyMap<string, StepTraces>,
  known: ReadonlySet<string>,
  madeBefore: number,
): Promise<Pile[]> {
  const isCandidate = (id: string, traces: StepTraces | undefined): boolean =>
    traces !== undefined && !traces.isInUse && !known.has(id);
  const candidates = [...seen].filter(([id, traces]) => isCandidate(id, traces)).map(([id]) => id);
  if (candidates.length === 0) return [];
  // A step that is just being released has traces for a moment longer than records.
  await delay(ENDING_MS);
  const again = await finder.find();
  const piles: Pile[] = [];
  for (const id of candidates) {
    const traces = again.get(id);
    if (traces === undefined || !isCandidate(id, traces)) continue;
    if ((await findStep(client, id)) !== undefined || !(await isOld(traces, madeBefore))) continue;
    piles.push(pileOfTraces(id, traces, finder));
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
