import { type Client, createClient } from "@wfe-containerd/client";
import type { DaemonFacts } from "../core/plan/daemon.js";
import type { StepConfig } from "../core/step/step.js";
import { describeDaemon } from "./facts.js";
import { readTls } from "./tls-files.js";

/** A daemon, and the facts about its machine that plans depend on. */
export interface Connection {
  readonly client: Client;
  readonly daemon: DaemonFacts;
}

/**
 * The daemons of one executor: its own, and those that steps name. Each is connected to and described once.
 */
export interface Connections {
  to(step: StepConfig): Promise<Connection>;
  /** Closes the connections that were opened here, not the given client. */
  close(): Promise<void>;
}

export function createConnections(given: Client | undefined): Connections {
  const opened = new Map<string, Promise<Client>>();
  const described = new Map<Client, Promise<DaemonFacts>>();

  async function clientFor({ containerdAddr, tls }: StepConfig): Promise<Client> {
    if (containerdAddr === undefined && given !== undefined) return given;
    const key = JSON.stringify([containerdAddr, tls]);
    let client = opened.get(key);
    if (client === undefined) {
      client = open(containerdAddr, tls, given);
      opened.set(key, client);
      client.catch(() => opened.delete(key));
    }
    return client;
  }

  function describe(client: Client): Promise<DaemonFacts> {
    let facts = described.get(client);
    if (facts === undefined) {
      facts = describeDaemon(client);
      described.set(client, facts);
      // Not cached: the daemon may answer for the next step.
      facts.catch(() => described.delete(client));
    }
    return facts;
  }

  return {
    async to(step) {
      const client = await clientFor(step);
      return { client, daemon: await describe(client) };
    },
    async close() {
      for (const client of opened.values()) await (await client).close();
    },
  };
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
