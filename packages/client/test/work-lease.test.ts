import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { Code, ConnectError } from "@connectrpc/connect";
import { createClient } from "@wfe-containerd/client";
import { OWNER_LABEL } from "@wfe-containerd/client/internal";
import type { CreateResponse } from "@wfe-containerd/proto/services/leases";
import { useDaemon } from "@wfe-containerd/test-infra/daemon";
import { busyboxArchive } from "@wfe-containerd/test-infra/images";
import { putImage, startRegistry, type TestRegistry } from "@wfe-containerd/test-infra/registry";
import { type FaultProxy, startFaultProxy } from "@wfe-containerd/test-infra/registry/fault-proxy";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";

const at = useDaemon({ image: false });
const auth = "anonymous";
let registry: TestRegistry;
let proxy: FaultProxy;

beforeAll(async () => {
  registry = await startRegistry();
  proxy = await startFaultProxy(registry.origin);
  await putImage(registry, "busybox:1", await busyboxArchive());
});
afterAll(async () => {
  await proxy?.[Symbol.asyncDispose]();
  await registry?.[Symbol.asyncDispose]();
});
beforeEach(() => proxy.reset());
afterEach(async () => {
  for (const { name } of await at.client.images.list()) await at.client.images.remove(name, { sync: true });
});

const leases = async (): Promise<string[]> => (await at.client.leases.list()).map(({ id }) => id);

test("a pull whose process died leaves no lease after the next one, also when that finds all it wants", async () => {
  const name = `${proxy.host}/busybox:1`;
  await at.client.images.pull(name, { auth });
  const fetching = new Promise<void>((resolve) => {
    proxy.on(/GET .*blobs/, () => {
      resolve();
      return { kind: "hold", until: new Promise(() => undefined) };
    });
  });
  const script = fileURLToPath(new URL("pull.mjs", import.meta.url));
  const namespace = at.client.with({ namespace: `${at.client.namespace}-other` });
  const child = spawn(process.execPath, [script, at.daemon.socketPath, namespace.namespace, name]);
  await fetching;
  child.kill("SIGKILL");
  await once(child, "close");
  const [left] = await namespace.leases.list();
  expect(left?.id).toMatch(/^pull-/);
  expect(left?.labels[OWNER_LABEL]).toContain(`/${child.pid}/`);
  proxy.reset();

  // We must not delete a lease of another program.
  const other = await namespace.leases.create({ id: "pull-of-another-program" });
  await namespace.images.pull(name, { auth });
  expect((await namespace.leases.list()).map(({ id }) => id)).toEqual([other.id]);
  await namespace.leases.create({ id: "pull-dead", labels: left?.labels ?? {} });
  await namespace.images.pull(name, { auth });
  expect((await namespace.leases.list()).map(({ id }) => id)).toEqual([other.id]);
  await other.delete();
  await namespace.images.remove(name, { sync: true });
});

test("a pull whose daemon died leaves no lease once the daemon is back", async () => {
  const name = `${proxy.host}/busybox:1`;
  for (const { name: here } of await at.client.images.list())
    await at.client.images.remove(here, { sync: true });
  proxy.on(/GET .*blobs/, { kind: "hold", until: new Promise(() => undefined) });
  const aborting = new AbortController();
  const pulling = at.client.images.pull(name, { auth, signal: aborting.signal });
  // The kind depends on what the pull was doing when the daemon died.
  const failed = expect(pulling).rejects.toMatchObject({
    kind: expect.stringMatching(/^(canceled|unavailable)$/),
  });
  while ((await leases()).length === 0);
  at.daemon.kill("SIGKILL");
  await at.daemon.exited;
  aborting.abort();
  await failed;
  await at.daemon.restart();
  await expect.poll(leases).toEqual([]);
});

test("a pull whose lease was created as its daemon died, so that the answer is lost, leaves no lease", async () => {
  let created = "";
  await using client = createClient({
    address: at.daemon.address,
    namespace: at.client.namespace,
    interceptors: [
      (next) => async (request) => {
        const isCreation = request.method.name === "Create" && request.service.typeName.endsWith(".Leases");
        if (!isCreation || created !== "") return next(request);
        const answer = await next(request);
        created = (answer.message as unknown as CreateResponse).lease?.id ?? "";
        at.daemon.kill("SIGKILL");
        await at.daemon.exited;
        throw new ConnectError("cut off", Code.Unavailable);
      },
    ],
  });
  await expect(client.images.pull(`${proxy.host}/busybox:1`, { auth })).rejects.toMatchObject({
    kind: "unavailable",
  });
  // The daemon has answered that the lease is there. From now on it may go at any time.
  expect(created).toMatch(/^pull-/);
  await at.daemon.restart();
  await expect.poll(leases).toEqual([]);
});
