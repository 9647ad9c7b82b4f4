import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client, createClient } from "@wfe-containerd/client";
import { afterAll, beforeAll, expect } from "vitest";
import { type Inventory, importBusybox, takeInventory, whatStays } from "../daemon/daemon.js";
import { insideTests } from "../daemon/inside-tests.js";
import { type RemoteDaemon, startRemoteDaemon } from "./remote.js";

/** Valid inside tests. */
export interface RemoteTestDaemon {
  readonly daemon: RemoteDaemon;
  /** In a namespace of its own, in which busybox is. */
  readonly client: Client;
  /** A directory of this machine alone. */
  readonly base: string;
  /** The directory in it that the daemon's machine sees, too. */
  readonly ioDir: string;
  inventory(): Promise<Inventory>;
  /** Waits until nothing is there that was not there before. */
  expectNothingLeft(before: Inventory): Promise<void>;
}

/** Gives a test file a containerd that behaves as on another machine. The file fails if anything is left. */
export function useRemoteDaemon(): RemoteTestDaemon {
  let current: RemoteTestDaemon | undefined;
  let base: string;
  let before: Inventory;

  beforeAll(async () => {
    base = await mkdtemp(join(tmpdir(), "remote-test-"));
    const ioDir = join(base, "shared");
    await mkdir(ioDir);
    const daemon = await startRemoteDaemon({ ioDir });
    const client = createClient({ address: daemon.address, namespace: `remote-${randomUUID()}` });
    await importBusybox(client);
    const inventory = (): Promise<Inventory> => takeInventory({ daemon, client, ioDir });
    const expectNothingLeft = async (first: Inventory): Promise<void> =>
      expect(await whatStays(first, inventory), "left behind").toEqual({});
    current = { daemon, client, base, ioDir, inventory, expectNothingLeft };
    before = await inventory();
  });

  afterAll(async () => {
    try {
      await current?.expectNothingLeft(before);
    } finally {
      await current?.client.close();
      await current?.daemon.stop();
      await rm(base, { recursive: true, force: true });
    }
  });

  return insideTests(() => current);
}
