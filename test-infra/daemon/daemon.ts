import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { type Client, createClient } from "@wfe-containerd/client";
import { type Daemon, type StartDaemonOptions, startDaemon } from "@wfe-containerd/client/daemon";
import { afterAll, beforeAll, expect } from "vitest";
import { BUSYBOX_NAME, busyboxArchive } from "../images/build.js";
import { insideTests } from "./inside-tests.js";
import { type Inventory, takeInventory, whatStays } from "./inventory.js";

export { type Inventory, takeInventory, whatIsLeft, whatStays } from "./inventory.js";
export { pauseProcess, untilPaused } from "./pause.js";

/** The daemon of one test file. Use it inside of tests only: it starts before the first one. */
export interface TestDaemon {
  readonly daemon: Daemon;
  /** Uses a namespace of its own, which has the image `busybox`. */
  readonly client: Client;
  /** A private directory for executors' output files. */
  readonly ioDir: string;
  inventory(): Promise<Inventory>;
  /**
   * Fails when there are things that `before` does not list, and that do not disappear on their own. The
   * message names them.
   */
  expectNothingLeft(before: Inventory): Promise<void>;
}

export interface TestDaemonOptions extends StartDaemonOptions {
  /** Import `busybox`. @default true */
  readonly image?: boolean;
}

/** Usually a fraction of a second is enough. A machine that also runs other suites needs more. */
const READY_TIMEOUT_MS = 100_000;

/**
 * Gives a test file a containerd of its own. After the last test it stops the daemon. The file fails if
 * anything is left that was not there before the first test.
 *
 * @example
 * const at = useDaemon();
 * test("busybox is there", async () => {
 *   await at.client.images.get("busybox");
 * });
 */
export function useDaemon({ image = true, ...options }: TestDaemonOptions = {}): TestDaemon {
  let current: (TestDaemon & { readonly before: Inventory }) | undefined;

  beforeAll(async () => {
    const daemon = await startDaemon({ readyTimeoutMs: READY_TIMEOUT_MS, ...options });
    // Control groups are named after it, and the whole machine sees them. Test files run at the same time.
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

  return insideTests(() => current);
}

/** Imports busybox as `docker.io/library/busybox:latest`. */
export async function importBusybox(client: Client): Promise<void> {
  await client.images.import(once(await busyboxArchive()), { name: BUSYBOX_NAME });
}

/** Turns bytes into a stream, which imports need. */
export async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
