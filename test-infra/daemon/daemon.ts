import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { type Client, createClient } from "@wfe-containerd/client";
import { type Daemon, type StartDaemonOptions, startDaemon } from "@wfe-containerd/client/daemon";
import { afterAll, beforeAll, expect } from "vitest";
import { BUSYBOX_NAME, busyboxArchive } from "../images/build.js";
import { type Inventory, takeInventory, whatStays } from "./inventory.js";

export { type Inventory, takeInventory, whatIsLeft, whatStays } from "./inventory.js";
export { pauseProcess } from "./pause.js";

/** A test file's own daemon, as it is inside its tests. */
export interface TestDaemon {
  readonly daemon: Daemon;
  /** In a namespace of its own, where the image `busybox` is. */
  readonly client: Client;
  /** A private directory for executors' output files. */
  readonly ioDir: string;
  inventory(): Promise<Inventory>;
  /** Fails, naming them, when things are there that were not there `before` and that do not go by themselves. */
  expectNothingLeft(before: Inventory): Promise<void>;
}

export interface TestDaemonOptions extends StartDaemonOptions {
  /** Bring in `busybox`. Default `true`. */
  readonly image?: boolean;
}

/** A fraction of a second is usual; a machine that is busy with other suites needs more. */
const READY_TIMEOUT_MS = 100_000;

/**
 * Gives a test file a containerd of its own. After the last test it fails the file if anything was left behind that was not there
 * before the first, and stops the daemon.
 */
export function useDaemon({ image = true, ...options }: TestDaemonOptions = {}): TestDaemon {
  let current: (TestDaemon & { readonly before: Inventory }) | undefined;

  beforeAll(async () => {
    const daemon = await startDaemon({ readyTimeoutMs: READY_TIMEOUT_MS, ...options });
    // Control groups are called after it, and those are the whole machine's: test files run beside each other.
    const namespace = `test-${basename(daemon.directory).replaceAll(/[^A-Za-z0-9]+/g, "-")}`;
    const client = createClient({ address: daemon.address, namespace });
    const ioDir = await mkdtemp(join(tmpdir(), "test-io-"));
    if (image) await importBusybox(client);
    const inventory = (): Promise<Inventory> => takeInventory({ daemon, client, ioDir });
    const expectNothingLeft = async (before: Inventory): Promise<void> =>
      expect(await whatStays(before, inventory), "left behind").toEqual({});
    current = { daemon, client, ioDir, inventory, expectNothingLeft, before: await inventory() };
  });

  afterAll(async () => {
    if (current === undefined) return;
    const { daemon, client, ioDir, expectNothingLeft, before } = current;
    try {
      await expectNothingLeft(before);
    } finally {
      await client.close();
      await daemon.stop();
      await rm(ioDir, { recursive: true, force: true });
    }
  });

  const running = (): TestDaemon => {
    if (current === undefined) throw new Error("the daemon is there only inside tests");
    return current;
  };
  return {
    get daemon() {
      return running().daemon;
    },
    get client() {
      return running().client;
    },
    get ioDir() {
      return running().ioDir;
    },
    inventory: () => running().inventory(),
    expectNothingLeft: (before) => running().expectNothingLeft(before),
  };
}

/** Imports busybox under its usual name. */
export async function importBusybox(client: Client): Promise<void> {
  await client.images.import(once(await busyboxArchive()), { name: BUSYBOX_NAME });
}

/** Bytes at hand, as the stream that imports take. */
export async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
