import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Client, Lease } from "@wfe-containerd/client";
import { useDaemon } from "@wfe-containerd/test-infra/daemon";
import { describe, expect, test } from "vitest";

const at = useDaemon();

/** A container of busybox, without a task yet. Disposing it removes what is left of it. */
interface TestContainer extends AsyncDisposable {
  readonly id: string;
  readonly stdout: string;
  readonly stderr: string;
  create(): Promise<{ pid: number }>;
}

const SPEC = {
  ociVersion: "1.0.2",
  root: { path: "rootfs" },
  mounts: [
    { destination: "/proc", type: "proc", source: "proc" },
    { destination: "/dev", type: "tmpfs", source: "tmpfs" },
    { destination: "/dev/pts", type: "devpts", source: "devpts", options: ["newinstance", "ptmxmode=0666"] },
  ],
  linux: { namespaces: ["pid", "ipc", "uts", "mount", "network"].map((type) => ({ type })) },
};

async function busybox(...args: string[]): Promise<TestContainer> {
  const { client, ioDir } = at;
  const id = `task-${randomBytes(4).toString("hex")}`;
  const lease: Lease = await client.leases.create();
  const leased = client.with({ leaseId: lease.id });
  const { chainId } = await client.images.resolve("busybox");
  const rootfs = await leased.snapshots.prepare(id, chainId);
  const linux = { ...SPEC.linux, cgroupsPath: `/${client.namespace}/${id}` };
  const process = { args, cwd: "/", env: ["PATH=/bin"], user: { uid: 0, gid: 0 } };
  await leased.containers.create({
    id,
    image: "busybox",
    snapshotKey: id,
    spec: { ...SPEC, linux, process },
  });
  await lease.delete();
  const [stdout, stderr] = [join(ioDir, `${id}.out`), join(ioDir, `${id}.err`)];
  await Promise.all([stdout, stderr].map((file) => writeFile(file, "")));
  return {
    id,
    stdout,
    stderr,
    create: () => client.tasks.create({ containerId: id, rootfs, stdout, stderr }),
    async [Symbol.asyncDispose]() {
      // In the other order, a garbage collection may remove the snapshot first.
      await client.snapshots.remove(id);
      await client.containers.delete(id);
      await Promise.all([stdout, stderr].map((file) => rm(file)));
    },
  };
}

const run = promisify(execFile);

async function mkfifo(...paths: string[]): Promise<void> {
  await run("mkfifo", paths);
}

async function text(file: string): Promise<string> {
  return readFile(file, "utf8");
}

/** Kills a task and deletes it. */
async function end({ tasks }: Client, id: string): Promise<void> {
  const ended = tasks.wait(id);
  await tasks.kill(id, "SIGKILL");
  await ended;
  await tasks.delete(id);
}

describe("a task", () => {
  test("is created, started, waited for and deleted, and its output is all there", async () => {
    const { tasks } = at.client;
    await using container = await busybox("sh", "-c", "echo out; echo err >&2; exit 3");
    const { id } = container;
    const { pid } = await container.create();
    expect(pid).toBeGreaterThan(0);
    expect(await tasks.get(id)).toMatchObject({ id, pid, status: "created" });
    await expect(container.create()).rejects.toMatchObject({ kind: "already-exists" });
    const waiting = tasks.wait(id);
    expect(await tasks.start(id)).toEqual({ pid });
    const status = await waiting;
    expect(status.exitCode).toBe(3);
    expect(Math.abs(status.exitedAt.getTime() - Date.now())).toBeLessThan(60_000);
    // It gives the same answer until the task is deleted.
    expect(await tasks.wait(id)).toEqual(status);
    expect(await tasks.get(id)).toMatchObject({ status: "stopped", exitCode: 3 });
    expect(await tasks.delete(id)).toEqual(status);
    expect([await text(container.stdout), await text(container.stderr)]).toEqual(["out\n", "err\n"]);
    await expect(tasks.wait(id)).rejects.toMatchObject({ kind: "not-found" });
    await expect(tasks.get(id)).rejects.toMatchObject({ kind: "not-found" });
    await expect(tasks.delete(id)).rejects.toMatchObject({ kind: "not-found" });
  });

  test("is killed by a signal's name or number", async () => {
    const { client } = at;
    for (const signal of ["SIGKILL", 9]) {
      await using container = await busybox("sleep", "1000");
      const { id } = container;
      await container.create();
      await client.tasks.start(id);
      const waiting = client.tasks.wait(id);
      await client.tasks.kill(id, signal);
      expect((await waiting).exitCode).toBe(137);
      await expect(client.tasks.kill(id, signal)).rejects.toMatchObject({ kind: "not-found" });
      await client.tasks.delete(id);
    }
  });

  test("that runs is not deleted", async () => {
    const { client } = at;
    await using container = await busybox("sleep", "1000");
    await container.create();
    await client.tasks.start(container.id);
    await expect(client.tasks.delete(container.id)).rejects.toMatchObject({ kind: "failed-precondition" });
    await end(client, container.id);
  });

  test("that was created and never started is given up", async () => {
    const { client } = at;
    await using container = await busybox("true");
    await container.create();
    await end(client, container.id);
  });

  test("of a program that is not there fails, and leaves nothing", async () => {
    await using container = await busybox("absent");
    await expect(container.create()).rejects.toMatchObject({
      kind: "unknown",
      message: expect.stringContaining("absent"),
    });
    expect(await at.client.tasks.list()).toEqual([]);
  });

  test("of a container that is not there is not found", async () => {
    const { tasks } = at.client;
    await expect(tasks.create({ containerId: "absent", rootfs: [] })).rejects.toMatchObject({
      kind: "not-found",
    });
    await expect(tasks.start("absent")).rejects.toMatchObject({ kind: "not-found" });
    await expect(tasks.kill("absent", "SIGTERM")).rejects.toMatchObject({ kind: "not-found" });
    await expect(tasks.metrics("absent")).rejects.toMatchObject({ kind: "not-found" });
  });

  test("is paused, resumed, counted and listed", async () => {
    const { client } = at;
    const { tasks } = client;
    await using container = await busybox("sleep", "1000");
    const { id } = container;
    const { pid } = await container.create();
    await tasks.start(id);
    await tasks.pause(id);
    expect(await tasks.get(id)).toMatchObject({ status: "paused" });
    await tasks.resume(id);
    expect(await tasks.get(id)).toMatchObject({ status: "running" });
    expect(await tasks.pids(id)).toEqual([pid]);
    expect((await tasks.list()).map(({ id: each }) => each)).toEqual([id]);
    const measured = await tasks.metrics(id);
    const pids = measured.metrics.pids?.current;
    expect(pids).toBe(1n);
    await end(client, id);
  });

  test("has its limits changed while it runs", async () => {
    const { client } = at;
    await using container = await busybox("sleep", "1000");
    await container.create();
    await client.tasks.start(container.id);
    await client.tasks.update(container.id, { pids: { limit: 17 } });
    const { metrics } = await client.tasks.metrics(container.id);
    expect(metrics.pids?.limit).toBe(17n);
    await end(client, container.id);
  });

  test("whose wait is aborted runs on", async () => {
    const { client } = at;
    await using container = await busybox("sleep", "1000");
    await container.create();
    await client.tasks.start(container.id);
    const controller = new AbortController();
    const waiting = client.tasks.wait(container.id, { signal: controller.signal });
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ name: "ContainerdError", kind: "canceled" });
    expect(await client.tasks.get(container.id)).toMatchObject({ status: "running" });
    await end(client, container.id);
  });
});

describe("a process that is added to a task", () => {
  test("has its own output and exit code", async () => {
    const { client } = at;
    const { tasks } = client;
    await using container = await busybox("sleep", "1000");
    const { id, stdout, stderr } = container;
    await container.create();
    await tasks.start(id);
    const process = { args: ["sh", "-c", "echo more; exit 4"], cwd: "/", env: ["PATH=/bin"] };
    await tasks.exec(id, { execId: "more", process, stdout, stderr });
    await expect(tasks.exec(id, { execId: "more", process })).rejects.toMatchObject({
      kind: "already-exists",
    });
    const waiting = tasks.wait(id, { execId: "more" });
    expect((await tasks.start(id, { execId: "more" })).pid).toBeGreaterThan(0);
    expect((await waiting).exitCode).toBe(4);
    expect(await tasks.get(id, { execId: "more" })).toMatchObject({ status: "stopped", exitCode: 4 });
    expect((await tasks.delete(id, { execId: "more" })).exitCode).toBe(4);
    expect(await text(stdout)).toBe("more\n");
    expect(await tasks.get(id)).toMatchObject({ status: "running" });
    await expect(tasks.wait(id, { execId: "more" })).rejects.toMatchObject({ kind: "not-found" });
    await end(client, id);
  });

  test("reads its standard input to the end", async () => {
    const { client, ioDir } = at;
    const { tasks } = client;
    await using container = await busybox("sleep", "1000");
    const { id, stdout, stderr } = container;
    await container.create();
    await tasks.start(id);
    const stdin = join(ioDir, `${id}.in`);
    await mkfifo(stdin);
    const process = { args: ["cat"], cwd: "/", env: ["PATH=/bin"] };
    await tasks.exec(id, { execId: "cat", process, stdin, stdout, stderr });
    expect(await tasks.get(id, { execId: "cat" })).toMatchObject({ id, execId: "cat", status: "created" });
    await tasks.start(id, { execId: "cat" });
    await writeFile(stdin, "to the end");
    await tasks.closeStdin(id, { execId: "cat" });
    expect((await tasks.wait(id, { execId: "cat" })).exitCode).toBe(0);
    await tasks.delete(id, { execId: "cat" });
    expect(await text(stdout)).toBe("to the end");
    await rm(stdin);
    await end(client, id);
  });

  test("has a terminal, whose size changes", async () => {
    const { client, ioDir } = at;
    const { tasks } = client;
    await using container = await busybox("sleep", "1000");
    const { id, stderr } = container;
    await container.create();
    await tasks.start(id);
    const [stdin, stdout] = [join(ioDir, `${id}.in`), join(ioDir, `${id}.tty`)];
    await mkfifo(stdin, stdout);
    const args = ["sh", "-c", "stty size; read line; stty size"];
    const process = { args, terminal: true, cwd: "/", env: ["PATH=/bin"] };
    const tty = { execId: "tty", process, stdin, stdout, terminal: true };
    await expect(tasks.exec(id, { ...tty, stderr })).rejects.toMatchObject({ kind: "invalid-argument" });
    await tasks.exec(id, tty);
    const printed = text(stdout);
    await tasks.start(id, { execId: "tty" });
    await tasks.resizePty(id, { width: 100, height: 40 }, { execId: "tty" });
    expect(await tasks.get(id, { execId: "tty" })).toMatchObject({ terminal: true, status: "running" });
    await writeFile(stdin, "\n");
    await tasks.wait(id, { execId: "tty" });
    expect(await printed).toMatch(/40 100\r\n$/);
    await tasks.delete(id, { execId: "tty" });
    await Promise.all([stdin, stdout].map((file) => rm(file)));
    await end(client, id);
  });

  test("is killed alone", async () => {
    const { client } = at;
    const { tasks } = client;
    await using container = await busybox("sleep", "1000");
    const { id } = container;
    await container.create();
    await tasks.start(id);
    await tasks.exec(id, {
      execId: "other",
      process: { args: ["sleep", "1000"], cwd: "/", env: ["PATH=/bin"] },
    });
    await tasks.start(id, { execId: "other" });
    const waiting = tasks.wait(id, { execId: "other" });
    await tasks.kill(id, "SIGKILL", { execId: "other" });
    expect((await waiting).exitCode).toBe(137);
    await tasks.delete(id, { execId: "other" });
    expect(await tasks.get(id)).toMatchObject({ status: "running" });
    await end(client, id);
  });
});
