import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkRegistryLogin } from "@wfe-containerd/client";
import { type FaultProxy, startFaultProxy } from "@wfe-containerd/test-infra/registry/fault-proxy";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";

const CREDENTIAL = { username: "user", password: "secret-canary-password" };
let registry: FaultProxy;
let other: FaultProxy;
let directory: string;

beforeAll(async () => {
  registry = await startFaultProxy();
  other = await startFaultProxy();
});
afterAll(async () => {
  await other?.[Symbol.asyncDispose]();
  await registry?.[Symbol.asyncDispose]();
});

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "certs.d-"));
  for (const each of [registry, other]) {
    each.reset();
    const headers = { "www-authenticate": 'Basic realm="give me"' };
    each.on(/./, (count) =>
      count === 0 ? { kind: "answer", status: 401, headers } : { kind: "answer", status: 200 },
    );
  }
});
afterEach(() => rm(directory, { recursive: true }));

async function login(host: string, hostsToml: string, known = host): Promise<void> {
  await mkdir(join(directory, known), { recursive: true });
  await writeFile(join(directory, known, "hosts.toml"), hostsToml);
  await checkRegistryLogin(host, CREDENTIAL, { hosts: { directories: [directory] } });
}

test("gives the credential to the registry, whatever it and its mirrors are trusted with", async () => {
  for (const own of ["", 'capabilities = ["pull"]', 'capabilities = ["push"]']) {
    registry.reset();
    registry.on(/./, { kind: "answer", status: 200 });
    await login(
      registry.host,
      `server = "${registry.origin}"\n${own}\n[host."${other.origin}"]\ncapabilities = ["pull", "resolve"]`,
    );
    expect(registry.requests.map(({ path }) => path)).toEqual(["/v2/"]);
  }
  expect(other.requests).toEqual([]);
});

test.each([
  ["registry.example.com", "registry.example.com"],
  ["docker.io", "docker.io"],
  ["index.docker.io", "docker.io"],
])("does not give what is for %s to the server that hosts.toml names instead", async (host, shown) => {
  await expect(login(host, `server = "${other.origin}"`, shown)).rejects.toMatchObject({
    kind: "permission-denied",
    message: expect.stringContaining(`the credential for ${shown} is not sent to ${other.host}`),
  });
  expect(other.requests).toEqual([]);
});

test("knows a registry in any spelling", async () => {
  const { host } = registry;
  await login(host, `server = "${registry.origin}"`);
  expect(registry.requests.at(-1)?.headers["authorization"]).toMatch(/^Basic /);
  const upper = host.replace("127.0.0.1", "LOCALHOST");
  await login(upper, `server = "http://${upper.toLowerCase()}"`);
});
