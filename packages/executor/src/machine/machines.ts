import { type Client, createClient, type Outage } from "@wfe-containerd/client";
import type { AllowedStep } from "../core/plan/checked-step.js";
import type { Locality, MachineFacts } from "../core/plan/machine-facts.js";
import type { StepConfig } from "../core/step/step.js";
import { createFactCache } from "./fact-cache.js";
import type { Machine, MachineSettings } from "./machine.js";
import { readTls } from "./tls-files.js";
import { isUnavailable } from "./unavailable.js";

/**
 * The machines of one executor: that of its own daemon, and those of daemons that steps name. There is one
 * connection to each daemon.
 */
export interface Machines {
  /**
   * The machine that a step runs on, with facts that are not old. Connects if necessary. A daemon that has
   * never answered is not waited for: its address may be wrong.
   *
   * @param outage waits for the daemon while it is away.
   */
  of(step: AllowedStep, outage: Outage): Promise<Machine>;
  /** The machine of the executor's own daemon. */
  own(outage: Outage): Promise<Machine>;
  /**
   * A client of the executor's own daemon, which has answered. It is waited for even if it has never answered
   * before: after the start of a machine, daemon and executor come up together.
   */
  ownClient(outage: Outage): Promise<Client>;
  /**
   * The daemons that are connected.
   *
   * @param connect whether to connect to the executor's own daemon, if there is no connection yet.
   */
  known(connect: boolean): Promise<readonly KnownDaemon[]>;
  /**
   * Closes the connections that were opened here, not the given client. Removes a private directory. Never
   * rejects.
   */
  close(): Promise<void>;
}

/** A daemon of an executor. */
export interface KnownDaemon {
  readonly client: Client;
  locality(): Promise<Locality>;
}

interface Daemon {
  readonly client: Client;
  /** @param client one of this daemon. */
  facts(client: Client): Promise<MachineFacts>;
  hasAnswered: boolean;
}

/** @param given the executor's own daemon. Without it, `createClient` chooses one. */
export function createMachines(given: Client | undefined, settings: MachineSettings): Machines {
  const own = given && createDaemon(given);
  const opened = new Map<string, Promise<Daemon>>();

  async function connectTo({
    containerdAddr,
    tls,
  }: Pick<StepConfig, "containerdAddr" | "tls">): Promise<Daemon> {
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

  async function machineOf(daemon: Daemon, outage: Outage): Promise<Machine> {
    const client = daemon.client.with({ outage });
    return { ...settings, client, impatientClient: daemon.client, facts: await factsOf(daemon, client) };
  }

  return {
    of: async (step, outage) => machineOf(await connectTo(step), outage),
    own: async (outage) => machineOf(await connectTo({}), outage),
    async ownClient(outage) {
      const daemon = await connectTo({});
      const client = daemon.client.with({ outage });
      await client.version();
      daemon.hasAnswered = true;
      return client;
    },
    async known(connect) {
      if (connect && own === undefined && opened.size === 0) await connectTo({});
      const found = own === undefined ? [] : [own];
      // Without those whose TLS files cannot be read: no step runs there.
      for (const outcome of await Promise.allSettled(opened.values()))
        if (outcome.status === "fulfilled") found.push(outcome.value);
      return found.map((daemon) => ({
        client: daemon.client,
        locality: async () => (await factsOf(daemon, daemon.client)).locality,
      }));
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
  return { client, facts: createFactCache(client), hasAnswered: false };
}

/** @param patient a client of the daemon that waits while the daemon is away. */
async function factsOf(daemon: Daemon, patient: Client): Promise<MachineFacts> {
  const { hasAnswered } = daemon;
  const facts = await daemon.facts(hasAnswered ? patient : daemon.client).catch((reason: unknown) => {
    // Another step may have asked, and have given up.
    if (!hasAnswered || !isUnavailable(reason)) throw reason;
    return daemon.facts(patient);
  });
  daemon.hasAnswered = true;
  return facts;
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
