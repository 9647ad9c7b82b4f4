import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { access, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { createClient } from "@wfe-containerd/client";
import { startDaemon } from "@wfe-containerd/client/daemon";
import { importBusybox } from "@wfe-containerd/test-infra/daemon";
import { createRuncStandIn, FAIL } from "@wfe-containerd/test-infra/daemon/runc-stand-in";
import { expect, test } from "vitest";

const run = promisify(execFile);
const CGROUPS = "/sys/fs/cgroup";
/** A machine that also runs other suites takes its time. */
const READY = { readyTimeoutMs: 100_000 };

test("a private daemon has every service, and nothing of it fails to load", async () => {
  await using daemon = await startDaemon(READY);
  await using client = createClient({ address: daemon.address });
  const { plugins } = await client.services.introspection.plugins({});
  const failed = plugins.filter(
    ({ initErr }) =>
      initErr !== undefined &&
      !initErr.message.endsWith("skip plugin") &&
      !initErr.message.startsWith("skip plugin"),
  );
  expect(failed.map(({ type, id, initErr }) => `${type}.${id}: ${initErr?.message}`)).toEqual([]);
});

test("stopping it leaves nothing on the machine, whatever still runs and whichever shim is dead", async () => {
  const daemon = await startDaemon(READY);
  const namespace = `stop-${randomUUID()}`;
  await using client = createClient({ address: daemon.address, namespace });
  await importBusybox(client);
  const ids = ["one", "two"];
  for (const id of ids) await startSleep(daemon.socketPath, namespace, id);
  const pids = (await client.tasks.list()).map(({ pid }) => pid);
  expect(pids).toHaveLength(2);
  const bundles = join(daemon.stateDir, "io.containerd.runtime.v2.task", namespace);
  const sockets = await Promise.all(ids.map((id) => socketOf(join(bundles, id))));
  for (const socket of sockets) await access(socket);
  expect(await groups(namespace)).not.toEqual([]);
  // The container then has no shim as its parent. It can be found only by runc's records.
  const shim = Number(/^PPid:\s*(\d+)$/m.exec(await readFile(`/proc/${pids[0]}/status`, "utf8"))?.[1]);
  daemon.kill("SIGKILL");
  await daemon.exited;
  process.kill(shim, "SIGKILL");

  await daemon.stop();
  // A zombie has an empty command line too. Reaping it is the job of this machine's init.
  for (const pid of pids) expect(await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).toBe("");
  for (const path of [...sockets, daemon.directory, `/run/containerd/runc/${namespace}`]) {
    await expect(access(path)).rejects.toMatchObject({ code: "ENOENT" });
  }
  expect(await groups(namespace)).toEqual([]);
  expect(await readFile("/proc/self/mountinfo", "utf8")).not.toContain(daemon.directory);
});

test("stopping it goes on although runc cannot remove a container at first", async () => {
  await using standIn = await createRuncStandIn();
  const daemon = await startDaemon({ ...READY, binDir: standIn.binDir });
  const namespace = `stop-${randomUUID()}`;
  await using client = createClient({ address: daemon.address, namespace });
  await importBusybox(client);
  await startSleep(daemon.socketPath, namespace, "one");
  await standIn.before("delete", FAIL, 2);
  await daemon.stop();
  for (const path of [daemon.directory, `/run/containerd/runc/${namespace}`])
    await expect(access(path)).rejects.toMatchObject({ code: "ENOENT" });
  expect(await groups(namespace)).toEqual([]);
});

test("it comes back in the same place after it was killed, with what it knew", async () => {
  await using daemon = await startDaemon(READY);
  await using client = createClient({ address: daemon.address });
  await using lease = await client.leases.create();
  daemon.kill("SIGKILL");
  await daemon.exited;
  await daemon.restart();
  expect((await client.leases.list()).map(({ id }) => id)).toEqual([lease.id]);
});

test("that there is none to start is said", async () => {
  const { PATH } = process.env;
  process.env["PATH"] = "/nowhere";
  try {
    await expect(startDaemon({ binDir: "/nowhere" })).rejects.toMatchObject({
      kind: "not-found",
      message: expect.stringContaining("apt-get install containerd"),
    });
  } finally {
    process.env["PATH"] = PATH;
  }
});

async function startSleep(socketPath: string, namespace: string, id: string): Promise<void> {
  const image = "docker.io/library/busybox:latest";
  await run("ctr", ["-a", socketPath, "-n", namespace, "run", "--detach", image, id, "/bin/sleep", "600"]);
}

async function socketOf(bundle: string): Promise<string> {
  for (const name of ["address", "bootstrap.json"]) {
    const text = await readFile(join(bundle, name), "utf8").catch(() => "");
    const path = /unix:\/\/([^"\s]+)/.exec(text)?.[1];
    if (path !== undefined) return path;
  }
  throw new Error(`no shim's address in ${bundle}`);
}

/** The namespace's cgroups in every hierarchy. */
async function groups(namespace: string): Promise<string[]> {
  const hierarchies = [CGROUPS, ...(await readdir(CGROUPS)).map((name) => join(CGROUPS, name))];
  const paths = hierarchies.map((hierarchy) => join(hierarchy, namespace));
  const found = await Promise.all(
    paths.map((path) =>
      access(path).then(
        () => [path],
        () => [],
      ),
    ),
  );
  return found.flat();
}
