import { stat } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import type { Client } from "@wfe-containerd/client";
import type { StepTraces, TraceFinder } from "../machine/step-traces.js";
import { findStep } from "./found-step.js";
import type { ClaimablePile, Leftover, Pile } from "./leftover.js";

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
): Promise<ClaimablePile[]> {
  if (ids.length === 0) return [];
  // A step that is just being released has traces for a moment longer than records.
  await delay(ENDING_MS);
  const found = await finder.find();
  const piles: ClaimablePile[] = [];
  for (const id of ids) {
    const traces = found.get(id);
    if (traces === undefined || traces.isInUse || !(await isOld(traces, madeBefore))) continue;
    // Asked again when it is removed: the attempt of a run may be started again at any time.
    const isGone = async (): Promise<boolean> => (await findStep(client, id)) === undefined;
    const claim = async () => ((await isGone()) ? { end: async () => undefined } : undefined);
    if (await isGone()) piles.push({ pile: pileOfTraces(id, traces, finder), claim });
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
    ...(shims.length > 0 ? [part("shim", () => finder.endProcesses(id))] : []),
    ...(groups.length > 0 ? [part("control-group", () => removeGroups(id, finder))] : []),
    ...(addresses.length > 0 ? [part("network-address", () => finder.freeAddresses(id))] : []),
  ];
}

/** With the processes of a container whose shim has died. */
async function removeGroups(id: string, finder: TraceFinder): Promise<void> {
  await finder.endProcesses(id);
  await finder.removeGroups(id);
}

async function isOld({ groups, addresses }: StepTraces, madeBefore: number): Promise<boolean> {
  for (const path of [...groups, ...addresses]) {
    const { ctimeMs = 0 } = (await stat(path).catch(() => undefined)) ?? {};
    if (ctimeMs > madeBefore) return false;
  }
  return true;
}
