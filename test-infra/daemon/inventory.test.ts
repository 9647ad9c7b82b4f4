import { execFile } from "node:child_process";
import { open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { importBusybox, useDaemon } from "./daemon.js";
import { whatIsLeft } from "./inventory.js";

const run = promisify(execFile);
const at = useDaemon();
const IMAGE = "docker.io/library/busybox:latest";

test("finds everything that is left behind, in every namespace, and nothing once it is gone", async () => {
  const before = await at.inventory();
  // Named after the daemon's namespace, so that no other test uses it: the whole machine sees control groups.
  const other = at.client.with({ namespace: `${at.client.namespace}-other` });
  await importBusybox(other);
  const ctr = (...args: string[]) =>
    run("ctr", ["--address", at.daemon.socketPath, "--namespace", other.namespace, ...args]);
  await ctr("run", "--detach", IMAGE, "forgotten", "/bin/sleep", "600");
  // runc's process may not have become the step's own one yet.
  const processes = async () => (await at.inventory())["processes in containers"];
  await expect.poll(processes).toEqual([expect.stringMatching(/^\d+ \/bin\/sleep 600$/)]);
  const lease = await other.leases.create();
  const ingest = await other.content.openWriter({ ref: "half-way" });
  await ingest.write(Buffer.from("half"));
  await run("mkfifo", [join(at.ioDir, "stdout")]);
  const reader = await open(join(at.ioDir, "stdout"), "r+");

  const left = whatIsLeft(before, await at.inventory());
  expect(Object.keys(left).sort()).toEqual([
    "cgroups",
    "containers",
    "files in the IO directory",
    "ingests",
    "leases",
    "mounts",
    "network namespaces",
    "open descriptors",
    "processes in containers",
    "shims",
    "snapshots",
    "tasks",
  ]);
  expect(left.containers).toEqual([`${other.namespace}/forgotten`]);
  expect(left["files in the IO directory"]).toEqual([`FIFO ${at.ioDir}/stdout`]);

  await reader.close();
  await rm(join(at.ioDir, "stdout"));
  await ingest[Symbol.asyncDispose]();
  await other.content.abort("half-way");
  await lease.delete();
  await ctr("task", "rm", "--force", "forgotten");
  await ctr("container", "rm", "forgotten");
  await other.images.remove(IMAGE, { sync: true });
  await at.expectNothingLeft(before);
});

test("counts images and content only when asked to", async () => {
  const { daemon, client, ioDir } = at;
  const { takeInventory } = await import("./inventory.js");
  expect((await at.inventory()).images).toEqual([]);
  const { images, content } = await takeInventory({ daemon, client, ioDir, images: true });
  expect(images).toEqual([`${client.namespace}/${IMAGE}`]);
  expect(content.length).toBeGreaterThan(0);
  expect(await readdir(ioDir)).toEqual([]);
});
