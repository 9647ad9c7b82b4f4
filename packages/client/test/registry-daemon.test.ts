import { inspect } from "node:util";
import type { Client, PullOptions, ResolvedImage, TransferProgress } from "@wfe-containerd/client";
import { useDaemon } from "@wfe-containerd/test-infra/daemon";
import { type BuiltImage, buildImage, busyboxLayer, ociArchive } from "@wfe-containerd/test-infra/images";
import { putImage, startRegistry, type TestRegistry } from "@wfe-containerd/test-infra/registry";
import { type Authority, createAuthority } from "@wfe-containerd/test-infra/registry/certificates";
import { type FaultProxy, startFaultProxy } from "@wfe-containerd/test-infra/registry/fault-proxy";
import { putAsBuilt } from "@wfe-containerd/test-infra/registry/put-as-built";
import { startTokenServer } from "@wfe-containerd/test-infra/registry/token-server";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";

const at = useDaemon({ image: false });
const CREDENTIAL = { username: "user", password: "secret-canary-password" };
const REFRESH = "secret-canary-refresh";

let registry: TestRegistry;
let proxy: FaultProxy;
let authority: Authority;
let platforms: BuiltImage[];
/** Whether this daemon can pull images itself: from 2.0 on. */
let isAble: boolean;

beforeAll(async () => {
  const { version } = await at.client.version();
  isAble = Number.parseInt(version, 10) >= 2;
  registry = await startRegistry();
  proxy = await startFaultProxy(registry.origin);
  authority = await createAuthority();
  platforms = [
    await buildImage({ layers: [[{ path: "arm", contents: "64" }]], architecture: "arm64" }),
    await buildImage({ layers: [await busyboxLayer(), [{ path: "two", contents: "2" }]] }),
  ];
  await putAsBuilt(registry.origin, "app", "1", platforms);
});

afterAll(async () => {
  await proxy?.[Symbol.asyncDispose]();
  await registry?.[Symbol.asyncDispose]();
  await authority?.[Symbol.asyncDispose]();
});

afterEach(async () => {
  proxy.reset();
  for (const { name } of await at.client.images.list()) await at.client.images.remove(name, { sync: true });
});

/** For a daemon that cannot pull, checks the error and returns true. The test then ends. */
async function cannot(name: string, options: PullOptions = {}): Promise<boolean> {
  if (isAble) return false;
  await expect(pull(name, options)).rejects.toMatchObject({
    kind: "not-implemented",
    message: expect.stringMatching(/via: containerd 1\..*allowed: "client"/),
  });
  return true;
}

function pull(name: string, options: PullOptions = {}): Promise<ResolvedImage> {
  return at.client.images.pull(name, { auth: "anonymous", via: "daemon", ...options });
}

async function everything(client: Client): Promise<object> {
  const all: Record<string, object> = {};
  for await (const { digest, labels } of client.content.list()) all[digest] = { ...labels };
  for await (const { name, labels } of client.snapshots.list()) all[name] = { ...labels };
  return all;
}

async function whatIsHeld(): Promise<object> {
  const ingests = await at.client.content.listStatuses();
  return { ingests: ingests.length, leases: (await at.client.leases.list()).length };
}

test("what the daemon pulls is what we would have pulled", async () => {
  const name = `${registry.host}/app:1`;
  if (await cannot(name)) return;
  const image = await pull(name);
  const theirs = await everything(at.client);
  await at.client.images.remove(name, { sync: true });
  expect(await pull(name, { via: "client" })).toEqual(image);
  // Each client chooses which platforms of an index its labels refer to.
  expect(Object.keys(await everything(at.client)).sort()).toEqual(Object.keys(theirs).sort());
  expect(await whatIsHeld()).toEqual({ ingests: 0, leases: 0 });
});

test("it keeps the pull policy, digests and platforms", async () => {
  const name = `${proxy.host}/app:1`;
  if (await cannot(name)) return;
  const platform = { os: "linux", architecture: "arm64" };
  const { target, manifest } = await pull(name, { platform });
  expect(manifest.digest).toBe(platforms[0]?.manifest.digest);
  const pinned = await pull(`${proxy.host}/app@${target.digest}`);
  expect(pinned.target).toEqual(target);
  const before = proxy.requests.length;
  await pull(`${proxy.host}/app@${target.digest}`);
  await pull(name, { policy: "if-not-present", platform });
  expect(proxy.requests).toHaveLength(before);
  await expect(pull(name, { platform: { os: "linux", architecture: "s390x" } })).rejects.toThrow();
});

test("it is told of, layer by layer", async () => {
  const name = `${registry.host}/app:1`;
  if (await cannot(name)) return;
  const seen: TransferProgress[] = [];
  const image = await pull(name, { onProgress: (progress) => seen.push(progress) });
  for (const { digest, size } of image.layers) {
    const states = seen.filter(({ what }) => what === digest);
    expect(states[0]).toMatchObject({ state: "waiting", total: size });
    expect(states.at(-1)).toMatchObject({ state: "done", offset: size, total: size });
  }
});

test("a registry's password goes to the daemon when it asks for it, and into no error", async () => {
  await using guarded = await startRegistry({ password: CREDENTIAL });
  const name = `${guarded.host}/app:1`;
  const auth = { [guarded.host]: CREDENTIAL };
  if (await cannot(name, { auth })) return;
  await putImage(guarded, "app:1", await ociArchive(platforms[1] as BuiltImage), { credential: CREDENTIAL });
  const stranger = { kind: "unauthenticated", message: expect.stringContaining(`pull ${name}: `) };
  await expect(pull(name)).rejects.toMatchObject(stranger);
  await expect(pull(name, { auth: { "other.example": CREDENTIAL } })).rejects.toMatchObject(stranger);
  const token = { [guarded.host]: { registryToken: "secret-canary-token" } };
  await expect(pull(name, { auth: token })).rejects.toThrow(/auth: .*allowed: password or identityToken/);
  const wrong = { ...CREDENTIAL, password: `${CREDENTIAL.password}-wrong` };
  const refused: unknown = await pull(name, { auth: { [guarded.host]: wrong } }).catch((reason) => reason);
  expect(inspect(refused, { depth: 9 })).not.toContain("secret-canary");
  expect((await pull(name, { auth })).layers).toHaveLength(2);
});

test("tokens are had for a password and for a refresh token", async () => {
  const signer = await authority.issue("signer");
  await using tokens = await startTokenServer({
    signer,
    users: { user: CREDENTIAL.password },
    refreshTokens: { [REFRESH]: "user" },
    allow: (user) => (user === undefined ? [] : ["pull", "push"]),
  });
  const { realm, service, issuer } = tokens;
  await using guarded = await startRegistry({ token: { realm, service, issuer, certFile: signer.certFile } });
  const name = `${guarded.host}/app:1`;
  if (await cannot(name)) return;
  await putImage(guarded, "app:1", await ociArchive(platforms[1] as BuiltImage), { credential: CREDENTIAL });
  await expect(pull(name)).rejects.toThrow();
  for (const credential of [CREDENTIAL, { identityToken: REFRESH }]) {
    expect((await pull(name, { auth: { [guarded.host]: credential } })).layers).toHaveLength(2);
    await at.client.images.remove(name, { sync: true });
  }
});

test("what is not there, and who does not answer, is told by its kind", async () => {
  if (await cannot(`${registry.host}/app:1`)) return;
  await expect(pull(`${registry.host}/app:none`)).rejects.toMatchObject({
    kind: "not-found",
    message: expect.stringContaining(
      `image ${registry.host}/app:none is not found: ${registry.host} has no tag none in the repository app, or no such repository; check the name and the tag`,
    ),
  });
  await expect(pull("127.0.0.1:1/app:1")).rejects.toMatchObject({ kind: "unavailable" });
  expect(await whatIsHeld()).toEqual({ ingests: 0, leases: 0 });
});

test("a provider of credentials that fails ends it with its own words", async () => {
  await using guarded = await startRegistry({ password: CREDENTIAL });
  const name = `${guarded.host}/app:1`;
  const auth = async (): Promise<never> => {
    throw new Error("the keyring is locked");
  };
  if (await cannot(name)) return;
  await expect(pull(name, { auth })).rejects.toThrow("the keyring is locked");
  expect(await whatIsHeld()).toEqual({ ingests: 0, leases: 0 });
});

test("whoever follows it and fails ends it with their own words", async () => {
  const name = `${registry.host}/app:1`;
  const onProgress = (): never => {
    throw new Error("no ink left");
  };
  if (await cannot(name, { onProgress })) return;
  await expect(pull(name, { onProgress })).rejects.toThrow("no ink left");
  await expect.poll(whatIsHeld).toEqual({ ingests: 0, leases: 0 });
});

test("one that is aborted, or too long under way, leaves nothing", async () => {
  const name = `${proxy.host}/app:1`;
  if (await cannot(name)) return;
  const digest = platforms[1]?.layers[0]?.digest;
  for (const [options, kind] of [
    [() => ({ timeoutMs: 500 }), "deadline-exceeded"],
    [() => ({ signal: AbortSignal.timeout(500) }), "canceled"],
  ] as const) {
    proxy.reset();
    proxy.on(new RegExp(`GET .*${digest}`), { kind: "stall", afterBytes: 1000 });
    await expect(pull(name, options())).rejects.toMatchObject({ kind });
    await expect.poll(whatIsHeld).toEqual({ ingests: 0, leases: 0 });
    expect(await at.client.images.list()).toEqual([]);
  }
});

test("bytes that are not what they should be make no image", async () => {
  const name = `${proxy.host}/app:1`;
  if (await cannot(name)) return;
  const digest = platforms[1]?.layers[0]?.digest;
  proxy.on(new RegExp(`GET .*${digest}`), { kind: "flip", atByte: 5000 });
  await expect(pull(name)).rejects.toThrow();
  expect(await at.client.images.list()).toEqual([]);
  await expect.poll(whatIsHeld).toEqual({ ingests: 0, leases: 0 });
});

test.each([
  ["verify", { verify: () => undefined }],
  ["hosts", { hosts: { directories: ["/etc/certs.d"] } }],
  ["hosts", { hosts: async () => [] }],
  ["tokenHosts", { tokenHosts: ["auth.example"] }],
  ["maxUnpackedBytes", { maxUnpackedBytes: 1 }],
] as const)("what the daemon would not heed is refused: %s", async (field, options) => {
  await expect(pull(`${registry.host}/app:1`, options)).rejects.toMatchObject({
    kind: "invalid-argument",
    message: expect.stringContaining(`${field}: `),
  });
});
