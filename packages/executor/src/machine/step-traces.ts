import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Client } from "@wfe-containerd/client";
import type { Bridge } from "../core/network/bridge.js";
import type { Locality } from "../core/plan/machine-facts.js";
import { findControlGroups, hasProcesses, removeControlGroup } from "./control-groups.js";
import { findNetworkAddresses, freeNetworkAddresses } from "./network-addresses.js";
import { resolvePath, socketPathOf } from "./socket-path.js";
import { listStepProcesses, type StepProcess } from "./step-processes.js";

/** What a step leaves on the daemon's machine besides containerd's records, if its runtime is interrupted. */
export interface StepTraces {
  /** The process ids of its shims. */
  readonly shims: readonly number[];
  /** Paths of its control groups. */
  readonly groups: readonly string[];
  /** Paths of the files that say which addresses it has. */
  readonly addresses: readonly string[];
  /** Whether another daemon has a step with this id, or processes run that cannot be seen from here. */
  readonly isInUse: boolean;
}

/** Traces of steps on the machine of a daemon, which is this one. */
export interface TraceFinder {
  /** The ids of the steps that have traces. Much quicker than `find`. */
  ids(): Promise<Set<string>>;
  /** By the step's id. */
  find(): Promise<Map<string, StepTraces>>;
  /**
   * Ends the shims and the processes of a step, which nobody needs any more, and waits until they are gone.
   * Then also removes what runc has noted of the container.
   */
  endProcesses(id: string): Promise<void>;
  removeGroups(id: string): Promise<void>;
  freeAddresses(id: string): Promise<void>;
  /** Removes all of them. Call it for a step that the daemon has, or had: others may have its id, too. */
  removeAll(id: string): Promise<void>;
}

/** A daemon that finds a dead shim of its own runs its clean-up within seconds. */
const CLEANUP_MS = 10_000;
/** How long a daemon may take to begin with it, in milliseconds. */
const NOTICE_MS = 250;
const POLL_MS = 50;
/** Where shims let runc note its containers (containerd, `process.RuncRoot`). Daemons share it. */
const RUNC_ROOT = "/run/containerd/runc";

/** Undefined if traces cannot be seen or removed from here: only root may, and on the daemon's machine. */
export function traceFinderOf(client: Client, bridge: Bridge, locality: Locality): TraceFinder | undefined {
  return process.getuid?.() === 0 && locality === "local" ? createTraceFinder(client, bridge) : undefined;
}

function createTraceFinder(client: Client, bridge: Bridge): TraceFinder {
  const socket = socketPathOf(client);

  async function isOurs({ shim, namespace }: StepProcess): Promise<boolean> {
    if (shim === undefined || namespace !== client.namespace) return false;
    return shim.address === socket || (await resolvePath(shim.address)) === (await resolvePath(socket));
  }

  /** Without those in containers if another daemon has a step with this id: whose they are cannot be seen. */
  async function processesOf(id: string): Promise<{ left: StepProcess[]; isShared: boolean }> {
    const all = (await listStepProcesses()).filter(
      ({ stepId, namespace }) => stepId === id && namespace === client.namespace,
    );
    const ours: StepProcess[] = [];
    for (const found of all) if (await isOurs(found)) ours.push(found);
    const isShared = all.filter(({ shim }) => shim !== undefined).length > ours.length;
    return { left: isShared ? ours : all, isShared };
  }

  async function find(): Promise<Map<string, StepTraces>> {
    const groups = await findControlGroups(client.namespace);
    const addresses = await findNetworkAddresses(bridge);
    const shims = new Map<string, number[]>();
    const ofOthers = new Set<string>();
    const inContainers = new Set<string>();
    for (const found of await listStepProcesses()) {
      const { stepId, namespace, pid, shim } = found;
      if (shim === undefined) {
        if (namespace === client.namespace) inContainers.add(stepId);
      } else if (await isOurs(found)) shims.set(stepId, [...(shims.get(stepId) ?? []), pid]);
      else ofOthers.add(stepId);
    }
    const traces = new Map<string, StepTraces>();
    for (const id of new Set([...groups.keys(), ...addresses.keys(), ...shims.keys()])) {
      const [ownShims, ownGroups] = [shims.get(id) ?? [], groups.get(id) ?? []];
      const isOccupied = (await Promise.all(ownGroups.map(hasProcesses))).includes(true);
      traces.set(id, {
        shims: ownShims,
        groups: ownGroups,
        addresses: addresses.get(id) ?? [],
        // Processes in a container end with its shim. Those that have none are nobody's.
        isInUse: ofOthers.has(id) || (isOccupied && ownShims.length === 0 && !inContainers.has(id)),
      });
    }
    return traces;
  }

  async function endProcesses(id: string): Promise<void> {
    const begunAt = performance.now();
    let seenAt = begunAt;
    let hasKilled = false;
    const end = (pid: number): void => {
      kill(pid);
      hasKilled = true;
    };
    for (;;) {
      const { left, isShared } = await processesOf(id);
      const now = performance.now();
      const isQuiet = now - seenAt > NOTICE_MS;
      if (left.length === 0 && (!hasKilled || isQuiet)) {
        if (!isShared) await rm(join(RUNC_ROOT, client.namespace, id), { recursive: true, force: true });
        return;
      }
      if (now - begunAt > 2 * CLEANUP_MS) throw new Error("a process of the step could not be killed");
      const isLate = now - begunAt > CLEANUP_MS;
      // The daemon deletes what its dead shim leaves, by another shim, which is let alone. A daemon that was
      // restarted meanwhile does not know the dead one.
      for (const { pid, shim } of left) if (isLate || (shim?.isServing ?? isQuiet)) end(pid);
      if (left.some(({ shim }) => shim !== undefined)) seenAt = now;
      await delay(POLL_MS);
    }
  }

  async function removeGroups(id: string): Promise<void> {
    for (const path of (await findControlGroups(client.namespace)).get(id) ?? [])
      await removeControlGroup(path);
  }

  async function freeAddresses(id: string): Promise<void> {
    if ((await findNetworkAddresses(bridge)).has(id)) await freeNetworkAddresses(id, bridge);
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
    endProcesses,
    removeGroups,
    freeAddresses,
    async removeAll(id) {
      await endProcesses(id);
      await removeGroups(id);
      await freeAddresses(id);
    },
  };
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}
