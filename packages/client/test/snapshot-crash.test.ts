import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { useDaemon } from "@wfe-containerd/test-infra/daemon";
import { expect, test } from "vitest";

const at = useDaemon({ image: false });

test("a snapshot is made although a daemon that was killed left the directory of one that it did not write down", async () => {
  const { client, daemon } = at;
  await using lease = await client.leases.create();
  const { snapshots } = client.with({ leaseId: lease.id });
  await snapshots.prepare("first");
  const directory = join(daemon.rootDir, "io.containerd.snapshotter.v1.overlayfs/snapshots");
  const last = Math.max(...(await readdir(directory)).map(Number));
  await mkdir(join(directory, String(last + 1), "fs"), { recursive: true });
  expect(await snapshots.prepare("second")).not.toEqual([]);
  await mkdir(join(directory, String(last + 2), "fs"), { recursive: true });
  await snapshots.commit("layer", "second");
  expect(await snapshots.view("third", "layer")).not.toEqual([]);
});
