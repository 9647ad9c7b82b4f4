import { type Client, createClient } from "@wfe-containerd/client";
import type { AllowedStep } from "../core/plan/checked-step.js";
import type { MachineFacts } from "../core/plan/machine-facts.js";
import type { StepConfig } from "../core/step/step.js";
import { createFactCache } from "./fact-cache.js";
import type { Machine, MachineSettings } from "./machine.js";
import { readTls } from "./tls-files.js";

/**
 * The machines of one executor: that of its own daemon, and those of daemons that steps name. There is one
 * connection to each daemon.
 */
export interface Machines {
  /** The machine that a step runs on, with facts that are not old. Connects if necessary. */
  of(step: AllowedStep): Promise<Machine>;
  /**
   * Closes the connections that were opened here, not the given client. Removes a private directory. Never
   * rejects.
   */
  close(): Promise<void>;
}

interface Daemon {
  readonly client: Client;
  facts(): Promise<MachineFacts>;
}

/** @param given the executor's own daemon. Without it, `createClient` chooses one. */
export function createMachines(given: Client | undefined, settings: MachineSettings): Machines {
  const own = given && createDaemon(given);
  const opened = new Map<string, Promise<Daemon>>();

  async function daemonOf({ containerdAddr, tls }: StepConfig): Promise<Daemon> {
    if (containerdAddr === undefined && own !== undefined) return own;
    const key = JSON.stringify([containerdAddr, tls]);
    let daemon = opened.get(key);
    if (daemon === undefined) {
      daemon = open(containerdAddr, tls, given).then(createDaemon);
      opened.set(key, daemon);
      daemon.catch(() => opened.delete(key));
    }
    return daemon;
  }

  return {
    async of(step) {
      const { client, facts } = await daemonOf(step);
      return { ...settings, client, facts: await facts() };
    },
    async close() {
      await Promise.allSettled([
        settings.ioDirectory.remove(),
        ...[...opened.values()].map(async (daemon) => (await daemon).client.close()),
      ]);
    },
  };
}

function createDaemon(client: Client): Daemon {
  return { client, facts: createFactCache(client) };
}

async function open(
  address: string | undefined,
  tls: StepConfig["tls"],
  given: Client | undefined,
): Promise<Client> {
  return createClient({
    ...(address !== undefined && { address }),
    ...(tls !== undefined && { tls: await readTls(tls) }),
    ...(given !== undefined && { namespace: given.namespace, snapshotter: given.snapshotter }),
  });
}
