import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { useDaemon } from "@wfe-containerd/test-infra/daemon";
import { buildImage, ociArchive } from "@wfe-containerd/test-infra/images";
import { putImage, startRegistry, type TestRegistry } from "@wfe-containerd/test-infra/registry";
import { type Authority, createAuthority } from "@wfe-containerd/test-infra/registry/certificates";
import { startForwardProxy } from "@wfe-containerd/test-infra/registry/forward-proxy";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";

const PASSWORD = "user:secret-canary-proxy";
const at = useDaemon({ image: false });
let authority: Authority;
let plain: TestRegistry;
let secure: TestRegistry;
let directory: string;

beforeAll(async () => {
  authority = await createAuthority();
  plain = await startRegistry();
  secure = await startRegistry({ tls: await authority.issue("registry") });
  const archive = await ociArchive(await buildImage({ layers: [[{ path: "file", contents: "x" }]] }));
  for (const registry of [plain, secure]) await putImage(registry, "app:1", archive);
  directory = await mkdtemp(join(tmpdir(), "certs.d-"));
});
afterAll(async () => {
  await rm(directory, { recursive: true });
  await secure?.[Symbol.asyncDispose]();
  await plain?.[Symbol.asyncDispose]();
  await authority?.[Symbol.asyncDispose]();
});
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const { name } of await at.client.images.list()) await at.client.images.remove(name, { sync: true });
});

/** A host name that only the proxy can resolve, so a request can reach it only through the proxy. */
async function hostBehind(registry: TestRegistry): Promise<string> {
  const host = registry.host.replace("127.0.0.1", "registry.test");
  await mkdir(join(directory, host), { recursive: true });
  const { protocol } = new URL(registry.origin);
  await writeFile(join(directory, host, "hosts.toml"), `server = "${protocol}//${host}"\nskip_verify = true`);
  return host;
}

const options = () =>
  ({ auth: "anonymous", hosts: { directories: [directory] }, retry: { deadlineMs: 0 } }) as const;

test.each([
  ["plain http", () => plain, "HTTP_PROXY", /^(?:GET|HEAD) http:\/\/registry\.test/],
  ["TLS", () => secure, "HTTPS_PROXY", /^CONNECT registry\.test/],
] as const)(
  "a pull over %s goes through the proxy of the environment, but for what NO_PROXY names",
  async (_, registry, name, line) => {
    await using proxy = await startForwardProxy(PASSWORD);
    const host = await hostBehind(registry());
    vi.stubEnv(name, proxy.origin.replace("//", `//${PASSWORD}@`));
    const image = await at.client.images.pull(`${host}/app:1`, options());
    expect(await at.client.images.isUnpacked(image)).toBe(true);
    expect(proxy.requests.length).toBeGreaterThan(0);
    for (const request of proxy.requests) expect(request).toMatch(line);
    const count = proxy.requests.length;
    vi.stubEnv("NO_PROXY", "10.0.0.0/8,.test");
    const direct = at.client.images.pull(`${host}/app:1`, options());
    await expect(direct).rejects.toMatchObject({
      message: expect.stringMatching(/a host with this name does not exist|cannot be resolved/),
    });
    expect(proxy.requests).toHaveLength(count);
  },
);

test("a pull from this machine does not", async () => {
  await using proxy = await startForwardProxy();
  vi.stubEnv("HTTP_PROXY", proxy.origin);
  await at.client.images.pull(`${plain.host}/app:1`, options());
  expect(proxy.requests).toEqual([]);
});

test.each([
  ["HTTP_PROXY", () => plain],
  ["HTTPS_PROXY", () => secure],
] as const)(
  "a proxy of %s that does not let us through says so, and keeps the password to itself",
  async (name, registry) => {
    await using proxy = await startForwardProxy(PASSWORD);
    const host = await hostBehind(registry());
    vi.stubEnv(name, proxy.origin.replace("//", "//user:secret-canary-wrong@"));
    const refused = at.client.images.pull(`${host}/app:1`, options());
    await expect(refused).rejects.toMatchObject({ message: expect.stringMatching(/^(?!.*canary).*407/) });
  },
);
