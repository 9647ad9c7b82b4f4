import { mkdir, mkdtemp, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client, createClient } from "@wfe-containerd/client";
import { createExecutor } from "@wfe-containerd/executor";
import { afterAll, beforeAll, expect, test } from "vitest";
import { importBusybox, takeInventory, whatStays } from "../daemon/daemon.js";
import { type RemoteDaemon, startRemoteDaemon } from "./remote.js";

let base: string;
let ioDir: string;
let daemon: RemoteDaemon;
let client: Client;

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), "remote-test-"));
  ioDir = join(base, "shared");
  await mkdir(ioDir);
  daemon = await startRemoteDaemon({ ioDir });
  client = createClient({ address: daemon.address, namespace: `remote-${process.pid}` });
  await importBusybox(client);
});

afterAll(async () => {
  await client?.close();
  await daemon?.stop();
  await rm(base, { recursive: true, force: true });
});

test("a step with a volume in the shared directory runs, and its output comes through that directory", async () => {
  await using executor = createExecutor({ client, ioDir, policy: { mountSources: [base] } });
  const inventory = () => takeInventory({ daemon, client, ioDir });
  const source = join(ioDir, "data");
  await mkdir(source, { mode: 0o777 });
  await writeFile(join(source, "in.txt"), "from the executor\n");
  const before = await inventory();
  const result = await executor.run({
    name: "remote",
    image: "busybox",
    user: "0:0",
    run: 'cat /data/in.txt; echo "from the step" > /data/out.txt; echo "##wfe[output where=$(hostname)]"; echo err >&2; exit 7',
    volumes: [{ source, target: "/data" }],
  });
  expect(result).toMatchObject({ exitCode: 7, cause: "exit", stderr: "err\n" });
  expect(result.stdout).toMatch(/^from the executor\n/);
  expect(await readFile(join(source, "out.txt"), "utf8")).toBe("from the step\n");
  await rm(join(source, "out.txt"));
  expect(await whatStays(before, inventory)).toEqual({});
});

test("nothing else is shared: a path of the executor's is not there", async () => {
  await using executor = createExecutor({ client, ioDir, policy: { mountSources: [base] } });
  const source = join(base, "private");
  await mkdir(source);
  await expect(
    executor.run({
      name: "elsewhere",
      image: "busybox",
      run: "true",
      volumes: [{ source, target: "/data" }],
    }),
  ).rejects.toMatchObject({ kind: "runtime" });
  for (const kind of ["mnt", "net", "pid"]) {
    expect(await readlink(`/proc/${daemon.pid}/ns/${kind}`)).not.toBe(
      await readlink(`/proc/self/ns/${kind}`),
    );
  }
});

test("a step outlives the connection to its daemon", async () => {
  await using executor = createExecutor({ client, ioDir, policy: { mountSources: [base] } });
  const handle = executor.start({
    name: "cut",
    image: "busybox",
    run: "echo one; sleep 1; echo two; exit 4",
  });
  for await (const event of handle) {
    if (event.type !== "output") continue;
    daemon.cut();
    break;
  }
  expect(await handle.result).toMatchObject({ exitCode: 4, cause: "exit", stdout: "one\ntwo\n" });
  await handle.closed;
});
