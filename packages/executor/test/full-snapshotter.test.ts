import { tmpdir } from "node:os";
import { createExecutor } from "@wfe-containerd/executor";
import { importBusybox, takeInventory, useDaemon, whatStays } from "@wfe-containerd/test-infra/daemon";
import { mountMemory } from "@wfe-containerd/test-infra/daemon/small-disk";
import { afterAll, expect, test } from "vitest";

const MIB = 1024 * 1024;
const disk = await mountMemory(tmpdir(), { sizeBytes: 8 * MIB, files: 4_000 });
const at = useDaemon({
  image: false,
  config: `[plugins."io.containerd.snapshotter.v1.overlayfs"]\nroot_path = ${JSON.stringify(disk.directory)}`,
});
afterAll(() => disk[Symbol.asyncDispose]());

const inventory = () =>
  takeInventory({ daemon: at.daemon, client: at.client, ioDir: at.ioDir, images: true });

test("an image that the snapshotter's disk cannot hold is refused with the reason, and leaves nothing (fault case 10)", async () => {
  await disk.fill();
  const before = await inventory();
  await expect(importBusybox(at.client)).rejects.toMatchObject({
    message: expect.stringContaining("no space left on device"),
  });
  expect(await whatStays(before, inventory)).toEqual({});
  await disk.free();
});

test("a step for which the snapshotter's disk has no room is an error with the reason, leaves nothing, and runs when there is room (fault case 10)", async () => {
  await importBusybox(at.client);
  const step = { name: "full", image: "busybox", run: "echo out; exit 7" };
  await using executor = createExecutor({ client: at.client, ioDir: at.ioDir, reapIntervalMs: false });
  // The first step of an image also makes the layer that all of its steps stand on.
  for (let left = 2; left > 0; left--) {
    await disk.fill();
    const before = await inventory();
    await expect(executor.run(step)).rejects.toMatchObject({
      kind: "runtime",
      message: expect.stringContaining("no space left on device"),
      unreleased: [],
    });
    expect(await whatStays(before, inventory)).toEqual({});
    await disk.free();
    expect(await executor.run(step)).toMatchObject({ exitCode: 7, stdout: "out\n", unreleased: [] });
  }
  await at.client.images.remove("busybox", { sync: true });
});
