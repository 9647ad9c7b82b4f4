import { realpath } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import type { Client } from "@wfe-containerd/client";
import type { Bridge } from "../core/network/bridge.js";
import { findControlGroups, hasProcesses, removeControlGroup } from "../machine/control-groups.js";
import { findNetworkAddresses, freeNetworkAddresses } from "../machine/network-addresses.js";
import { listStepProcesses, type StepProcess } from "../machine/step-processes.js";

/** What a step leaves on the daemon's machine besides containerd's records, if its runtime is interrupted. */
export interface StepTraces {
  /** The process ids of its shims. */
  readonly shims: readonly number[];
  /** Paths of its control groups. */
  readonly groups: readonly string[];
  /** Paths of the files that say which addresses it has. */
  readonly addresses: readonly string[];
  /** Whether a process of the step runs that none of the shims has. It may belong to another daemon. */
  readonly isInUse: boolean;
}

/** Traces of steps on the machine of a daemon, which is this one. */
export interface TraceFinder {
  /** The ids of the steps that have traces. Much quicker than `find`. */
  ids(): Promise<Set<string>>;
  /** By the step's id. */
  find(): Promise<Map<string, StepTraces>>;
  /** Ends the shims of a step, which nobody needs any more, and waits until its processes are gone. */
  endShims(id: string): Promise<void>;
  removeGroups(id: string): Promise<void>;
  freeAddresses(id: string): Promise<void>;
}

/** A daemon that finds a dead shim of its own runs its clean-up within seconds. */
const CLEANUP_MS = 10_000;
const POLL_MS = 50;

export function createTraceFinder(client: Client, bridge: Bridge): TraceFinder {
  const socket = client.address.replace(/^unix:\/\//, "");

  async function isOurs({ shim }: StepProcess): Promise<boolean> {
    if (shim?.namespace !== client.namespace) return false;
    return shim.address === socket || (await resolved(shim.address)) === (await resolved(socket));
  }

  async function processesOf(id: string): Promise<StepProcess[]> {
    return (await listStepProcesses()).filter(({ stepId }) => stepId === id);
  }

  async function find(): Promise<Map<string, StepTraces>> {
    const groups = await findControlGroups(client.namespace);
    const addresses = await findNetworkAddresses(bridge);
    const shims = new Map<string, number[]>();
    const inUse = new Set<string>();
    for (const found of await listStepProcesses()) {
      if (await isOurs(found)) shims.set(found.stepId, [...(shims.get(found.stepId) ?? []), found.pid]);
      else inUse.add(found.stepId);
    }
    const traces = new Map<string, StepTraces>();
    for (const id of new Set([...groups.keys(), ...addresses.keys(), ...shims.keys()])) {
      const [ownShims, ownGroups] = [shims.get(id) ?? [], groups.get(id) ?? []];
      const isOccupied = (await Promise.all(ownGroups.map(hasProcesses))).includes(true);
      traces.set(id, {
        shims: ownShims,
        groups: ownGroups,
        addresses: addresses.get(id) ?? [],
        // The processes in the container of one of our shims end with it.
        isInUse: ownShims.length === 0 && (inUse.has(id) || isOccupied),
      });
    }
    return traces;
  }

  async function endShims(id: string): Promise<void> {
    const processes = await processesOf(id);
    const ours: StepProcess[] = [];
    for (const found of processes) if (await isOurs(found)) ours.push(found);
    if (ours.length === 0) return;
    for (const { pid } of ours) kill(pid);
    const giveUpAt = performance.now() + CLEANUP_MS;
    // The daemon deletes what its dead shim leaves. One that was restarted meanwhile does not know the shim.
    for (let left = processes; left.length > 0; left = await processesOf(id)) {
      if (performance.now() > giveUpAt) for (const { pid } of left) kill(pid);
      if (performance.now() > giveUpAt + CLEANUP_MS)
        throw new Error("a process of the step could not be killed");
      await delay(POLL_MS);
    }
  }

  return {
    async ids() {
      const groups = await findControlGroups(client.namespace);
      const addresses = await findNetworkAddresses(bridge);
      const ids = new Set([...groups.keys(), ...addresses.keys()]);
      for (const shim of await listStepProcesses("shims")) if (await isOurs(shim)) ids.add(shim.stepId);
      return ids;
    },
    find,
    endShims,
    async removeGroups(id) {
      for (const path of (await findControlGroups(client.namespace)).get(id) ?? [])
        await removeControlGroup(path);
    },
    async freeAddresses(id) {
      if ((await findNetworkAddresses(bridge)).has(id)) await freeNetworkAddresses(id, bridge);
    },
  };
}

async function resolved(path: string): Promise<string> {
  return realpath(path).catch(() => path);
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}
