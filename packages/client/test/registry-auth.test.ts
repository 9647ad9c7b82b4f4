import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { inspect } from "node:util";
import {
  dockerCredentials,
  logTo,
  observe,
  type PullOptions,
  type RegistryRequestDiagnostic,
} from "@wfe-containerd/client";
import { useDaemon } from "@wfe-containerd/test-infra/daemon";
import { type BuiltImage, buildImage, ociArchive } from "@wfe-containerd/test-infra/images";
import { putImage, startRegistry, type TestRegistry } from "@wfe-containerd/test-infra/registry";
import {
  type Authority,
  type Certificate,
  createAuthority,
} from "@wfe-containerd/test-infra/registry/certificates";
import { type FaultProxy, startFaultProxy } from "@wfe-containerd/test-infra/registry/fault-proxy";
import { startTokenServer, type TokenServer } from "@wfe-containerd/test-infra/registry/token-server";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";

const at = useDaemon({ image: false, logLevel: "trace" });
/**
 * Secrets that must not appear anywhere. Each is a word that occurs nowhere else, so it can be found in any
 * text.
 */
const PASSWORD = "secret-canary-password";
const REFRESH = "secret-canary-refresh";
const HEADER = "secret-canary-header";
const CREDENTIAL = { username: "user", password: PASSWORD };
/** Everything that was reported: errors with their causes, events, diagnostics and log lines. */
const told: unknown[] = [];
const tell = (reported: object | string): void => void told.push(structuredClone(reported));
const BOTH = { start: tell, end: tell };
const stops = [
  observe({ rpc: BOTH, registryRequest: BOTH, transfer: BOTH, retry: BOTH }),
  logTo({ debug: tell, info: tell, warn: tell }),
];
afterAll(() => {
  for (const stop of stops) stop();
});

let built: BuiltImage;
let archive: Uint8Array;
let authority: Authority;
let directory: string;

beforeAll(async () => {
  built = await buildImage({
    layers: [[{ path: "data", contents: "x".repeat(100_000) }]],
  });
  archive = await ociArchive(built);
  authority = await createAuthority();
});
afterAll(() => authority?.[Symbol.asyncDispose]());

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "certs.d-"));
});
afterEach(async () => {
  await rm(directory, { recursive: true });
  for (const { name } of await at.client.images.list()) await at.client.images.remove(name, { sync: true });
});

/** Pulls an image that is not in the store yet. Records everything that is reported. */
async function pull(name: string, options: PullOptions = {}): Promise<void> {
  try {
    await at.client.images.pull(name, {
      retry: { firstDelayMs: 10, deadlineMs: 500 },
      hosts: { directories: [directory] },
      auth: "anonymous",
      onProgress: (progress) => told.push(progress),
      ...options,
    });
  } catch (reason) {
    told.push(reason);
    throw reason;
  }
}

async function hostsToml(registry: string, text: string): Promise<void> {
  await mkdir(join(directory, registry), { recursive: true });
  await writeFile(join(directory, registry, "hosts.toml"), text);
}

describe("a registry with passwords", () => {
  let registry: TestRegistry;
  let name: string;
  beforeAll(async () => {
    registry = await startRegistry({ password: CREDENTIAL });
    name = `${registry.host}/app:1`;
    await putImage(registry, "app:1", archive);
  });
  afterAll(() => registry?.[Symbol.asyncDispose]());

  test("takes the one that is given for it", async () => {
    await pull(name, { auth: { [registry.host]: CREDENTIAL } });
  });

  test("is told nothing that is for another one", async () => {
    const auth = { "127.0.0.1": CREDENTIAL, localhost: CREDENTIAL, "127.0.0.1:1": CREDENTIAL };
    await expect(pull(name, { auth })).rejects.toMatchObject({
      kind: "unauthenticated",
      message: expect.stringContaining(`a credential for ${registry.host} is missing`),
    });
  });

  test("is not asked again after a wrong one", async () => {
    await using proxy = await startFaultProxy(registry.origin);
    const auth = { [proxy.host]: { ...CREDENTIAL, password: `${PASSWORD}-wrong` } };
    await expect(pull(`${proxy.host}/app:1`, { auth })).rejects.toMatchObject({
      kind: "unauthenticated",
      message: expect.stringContaining("does not permit this"),
    });
    expect(proxy.requests.map(({ headers }) => headers["authorization"] !== undefined)).toEqual([
      false,
      true,
    ]);
  });

  test("finds it in docker's config", async () => {
    const auths = { [registry.host]: { auth: Buffer.from(`user:${PASSWORD}`).toString("base64") } };
    await writeFile(join(directory, "config.json"), JSON.stringify({ auths }));
    await pull(name, { auth: dockerCredentials({ directory }) });
  });

  test("finds it with docker's credential helper", async () => {
    const file = join(directory, "docker-credential-test");
    await writeFile(file, `#!/bin/sh\nprintf '{"Username":"user","Secret":"${PASSWORD}"}'\n`);
    await chmod(file, 0o755);
    await writeFile(
      join(directory, "config.json"),
      JSON.stringify({ credHelpers: { [registry.host]: "test" } }),
    );
    const env = { PATH: `${directory}${delimiter}${process.env["PATH"]}` };
    await pull(name, { auth: dockerCredentials({ directory, env }) });
  });

  test("finds it in a header of hosts.toml", async () => {
    const basic = Buffer.from(`user:${PASSWORD}`).toString("base64");
    await hostsToml(registry.host, `[header]\nAuthorization = "Basic ${basic}"`);
    await pull(name);
    await hostsToml(registry.host, `[header]\nAuthorization = "Basic ${HEADER}"`);
    await at.client.images.remove(name, { sync: true });
    await expect(pull(name)).rejects.toMatchObject({
      kind: "unauthenticated",
      message: expect.stringContaining("hosts.toml is not enough"),
    });
  });
});

describe("a registry with TLS of its own", () => {
  let registry: TestRegistry;
  let name: string;
  beforeAll(async () => {
    registry = await startRegistry({ tls: await authority.issue("registry") });
    name = `${registry.host}/app:1`;
    await putImage(registry, "app:1", archive);
  });
  afterAll(() => registry?.[Symbol.asyncDispose]());

  test("is refused, at once, as long as nobody trusts it", async () => {
    await hostsToml(registry.host, `server = "https://${registry.host}"`);
    await expect(pull(name, { retry: { deadlineMs: 60_000 } })).rejects.toThrow(
      /certificate.*set it as ca in hosts\.toml/,
    );
  });

  test("says that it wants https when it is asked without", async () => {
    await expect(pull(name)).rejects.toMatchObject({
      kind: "failed-precondition",
      message: expect.stringMatching(
        /\/v2\/app\/manifests\/1 answers 400.*this port expects https.*hosts\.toml/,
      ),
    });
  });

  test("is trusted by hosts.toml, by docker's directory, and by an option", async () => {
    await hostsToml(registry.host, `ca = ${JSON.stringify(authority.certFile)}`);
    await pull(name);
    await rm(join(directory, registry.host, "hosts.toml"));
    await writeFile(join(directory, registry.host, "ca.crt"), authority.cert);
    await at.client.images.remove(name, { sync: true });
    await pull(name);
    await at.client.images.remove(name, { sync: true });
    await pull(name, { hosts: { directories: [], ca: authority.cert } });
  });

  test("is trusted blindly where somebody says so", async () => {
    await hostsToml(registry.host, `server = "https://${registry.host}"\nskip_verify = true`);
    await pull(name);
  });

  test("may ask who we are", async () => {
    const own = { ...(await authority.issue("mutual")), clientCaFile: authority.certFile };
    await using strict = await startRegistry({ tls: own });
    const us = await authority.issue("us");
    const ca = `ca = ${JSON.stringify(authority.certFile)}`;
    await hostsToml(strict.host, ca);
    await expect(pull(`${strict.host}/absent:1`)).rejects.toMatchObject({
      kind: expect.not.stringMatching("not-found"),
    });
    const say = (...pairs: Certificate[]): Promise<void> =>
      hostsToml(
        strict.host,
        `${ca}\nclient = ${JSON.stringify(pairs.map(({ certFile, keyFile }) => [certFile, keyFile]))}`,
      );
    const [rsa, other] = [await authority.issue("us-rsa", "rsa"), await authority.issue("us-too")];
    for (const pairs of [[us], [rsa], [rsa, us], [us, rsa]]) {
      await say(...pairs);
      await expect(pull(`${strict.host}/absent:1`)).rejects.toMatchObject({ kind: "not-found" });
    }
    await say(us, other);
    await expect(pull(`${strict.host}/absent:1`)).rejects.toMatchObject({
      kind: "invalid-argument",
      message: expect.stringContaining("one certificate of each kind"),
    });
  });
});

describe("a registry with tokens", () => {
  let registry: TestRegistry;
  let tokens: TokenServer;
  let lifetimeS: (count: number) => number;

  beforeAll(async () => {
    const signer = await authority.issue("signer");
    tokens = await startTokenServer({
      signer,
      users: { user: PASSWORD },
      refreshTokens: { [REFRESH]: "user" },
      allow: (user, repository) =>
        user !== undefined ? ["pull", "push"] : repository === "public" ? ["pull"] : [],
      lifetimeS: (count) => lifetimeS(count),
      saidLifetimeS: 300,
    });
    const { realm, service, issuer } = tokens;
    registry = await startRegistry({ token: { realm, service, issuer, certFile: signer.certFile } });
    lifetimeS = () => 300;
    for (const repository of ["public", "private"]) {
      await putImage(registry, `${repository}:1`, archive, { credential: CREDENTIAL });
    }
  });
  afterAll(async () => {
    await registry?.[Symbol.asyncDispose]();
    await tokens?.[Symbol.asyncDispose]();
  });
  beforeEach(() => {
    lifetimeS = () => 300;
  });

  test("gives anonymous ones for what is public, and one is enough for all of an image", async () => {
    const before = tokens.requests.length;
    await pull(`${registry.host}/public:1`);
    expect(tokens.requests.slice(before)).toEqual([
      { method: "GET", user: undefined, scopes: ["repository:public:pull"], granted: true },
    ]);
    await expect(pull(`${registry.host}/private:1`)).rejects.toMatchObject({ kind: "unauthenticated" });
  });

  test("gives them for a password", async () => {
    const before = tokens.requests.length;
    await pull(`${registry.host}/private:1`, { auth: { [registry.host]: CREDENTIAL } });
    expect(tokens.requests.slice(before).map(({ method, user }) => [method, user])).toEqual([
      ["GET", "user"],
    ]);
    const auth = { [registry.host]: { ...CREDENTIAL, password: `${PASSWORD}-wrong` } };
    await at.client.images.remove(`${registry.host}/private:1`, { sync: true });
    await expect(pull(`${registry.host}/private:1`, { auth })).rejects.toMatchObject({
      kind: "unauthenticated",
    });
  });

  test("gives them for a refresh token", async () => {
    const before = tokens.requests.length;
    await pull(`${registry.host}/private:1`, { auth: { [registry.host]: { identityToken: REFRESH } } });
    expect(tokens.requests.slice(before).map(({ method, user }) => [method, user])).toEqual([
      ["POST", "user"],
    ]);
  });

  test("takes one that is at hand", async () => {
    await pull(`${registry.host}/private:1`, { auth: { [registry.host]: CREDENTIAL } });
    const registryToken = tokens.issued.at(-1) ?? "";
    await at.client.images.remove(`${registry.host}/private:1`, { sync: true });
    const before = tokens.requests.length;
    await pull(`${registry.host}/private:1`, { auth: { [registry.host]: { registryToken } } });
    expect(tokens.requests).toHaveLength(before);
  });

  test("is not asked for ever when it refuses what it has just given", async () => {
    const first = tokens.issued.length;
    lifetimeS = (count) => (count === first ? -3600 : 300);
    const before = tokens.requests.length;
    await expect(
      pull(`${registry.host}/private:1`, { auth: { [registry.host]: CREDENTIAL } }),
    ).rejects.toMatchObject({
      kind: "unauthenticated",
    });
    await pull(`${registry.host}/private:1`, { auth: { [registry.host]: CREDENTIAL } });
    expect(tokens.requests.length - before).toBe(2);
  });

  test("renews one that runs out between two requests of a pull", async () => {
    await using proxy = await startFaultProxy(registry.origin);
    const before = tokens.requests.length;
    proxy.on(/GET .*\/blobs\//, (count) =>
      count === 0
        ? {
            kind: "answer",
            status: 401,
            headers: {
              "www-authenticate": `Bearer realm="${tokens.realm}",service="${tokens.service}",scope="repository:private:pull",error="invalid_token"`,
            },
          }
        : undefined,
    );
    await pull(`${proxy.host}/private:1`, { auth: { [proxy.host]: CREDENTIAL } });
    expect(tokens.requests.length - before).toBe(2);
  });
});

describe("mirrors", () => {
  let upstream: TestRegistry;
  let front: FaultProxy;
  let mirror: FaultProxy;
  let name: string;

  beforeAll(async () => {
    upstream = await startRegistry();
    front = await startFaultProxy(upstream.origin);
    mirror = await startFaultProxy(upstream.origin);
    name = `${front.host}/app:1`;
    await putImage(upstream, "app:1", archive);
  });
  afterAll(async () => {
    await mirror?.[Symbol.asyncDispose]();
    await front?.[Symbol.asyncDispose]();
    await upstream?.[Symbol.asyncDispose]();
  });
  beforeEach(() => {
    mirror.reset();
    front.reset();
  });

  test("are asked first, and told which registry is meant", async () => {
    await hostsToml(front.host, `[host."${mirror.origin}"]`);
    await pull(name);
    expect(front.requests).toEqual([]);
    expect(mirror.requests.length).toBeGreaterThan(2);
    const ns = `ns=${encodeURIComponent(front.host)}`;
    for (const { path } of mirror.requests) expect(path).toContain(ns);
  });

  test("that are not trusted to resolve are asked only for what a digest protects", async () => {
    await hostsToml(front.host, `[host."${mirror.origin}"]\ncapabilities = ["pull"]`);
    await pull(name);
    expect(front.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
      "HEAD /v2/app/manifests/1",
    ]);
    expect(mirror.requests.every(({ path }) => path.includes("sha256:"))).toBe(true);
  });

  test.each([
    ["have nothing", { kind: "answer", status: 404 }],
    ["are broken", { kind: "answer", status: 500 }],
    [
      "want a password",
      { kind: "answer", status: 401, headers: { "www-authenticate": 'Basic realm="mirror"' } },
    ],
    ["give something else", { kind: "flip", atByte: 5 }],
  ] as const)("that %s are passed over", async (_, fault) => {
    await hostsToml(front.host, `[host."${mirror.origin}"]\ncapabilities = ["pull"]`);
    mirror.on(/./, fault);
    await pull(name);
  });

  test("that are gone are passed over", async () => {
    const gone = await startFaultProxy();
    await gone[Symbol.asyncDispose]();
    await hostsToml(front.host, `[host."${gone.origin}"]`);
    await pull(name);
  });

  test.each([
    [404, {}, "not-found"],
    [403, {}, "permission-denied"],
    [401, { "www-authenticate": 'Basic realm="give me"' }, "unauthenticated"],
  ])("that are gone do not have a registry that answers %d asked again", async (status, headers, kind) => {
    const gone = await startFaultProxy();
    await gone[Symbol.asyncDispose]();
    await hostsToml(front.host, `[host."${gone.origin}"]`);
    front.on(/./, { kind: "answer", status, headers });
    const auth = { [front.host]: CREDENTIAL };
    await expect(pull(name, { auth })).rejects.toMatchObject({
      kind,
      message: expect.stringContaining("nothing listens on this port; "),
    });
    // With HEAD or with GET, and with the password: GET is sent if the answer to HEAD does not give the
    // reason.
    expect(front.requests.length).toBeLessThanOrEqual(2);
  });

  test("get no credential that is for the registry", async () => {
    await hostsToml(front.host, `[host."${mirror.origin}"]`);
    mirror.on(/./, { kind: "answer", status: 401, headers: { "www-authenticate": 'Basic realm="give me"' } });
    await pull(name, { auth: { [front.host]: CREDENTIAL } });
    expect(mirror.requests.length).toBeGreaterThan(2);
    expect(inspect(mirror.requests)).not.toMatch(/authorization/i);
  });

  test("may have their API elsewhere, and headers of their own", async () => {
    await using odd = await startFaultProxy();
    await hostsToml(
      front.host,
      `[host."${odd.origin}/cache/of/it"]\noverride_path = true\n[host."${odd.origin}/cache/of/it".header]\nx-key = "${HEADER}"`,
    );
    await pull(name);
    expect(odd.requests[0]).toMatchObject({
      path: expect.stringMatching(/^\/cache\/of\/it\/app\/manifests\/1\?ns=/),
    });
    expect(odd.requests[0]?.headers["x-key"]).toBe(HEADER);
    expect(inspect(front.requests)).not.toContain(HEADER);
  });
});

describe("credentials stay where they belong", () => {
  let registry: TestRegistry;
  let front: FaultProxy;
  let elsewhere: FaultProxy;

  beforeAll(async () => {
    registry = await startRegistry({ password: CREDENTIAL });
    front = await startFaultProxy(registry.origin);
    elsewhere = await startFaultProxy();
    await putImage(registry, "app:1", archive);
  });
  afterAll(async () => {
    await elsewhere?.[Symbol.asyncDispose]();
    await front?.[Symbol.asyncDispose]();
    await registry?.[Symbol.asyncDispose]();
  });
  beforeEach(() => {
    front.reset();
    elsewhere.reset();
  });

  test("bad input 21: when a blob is redirected to another host", async () => {
    await hostsToml(front.host, `[header]\nx-key = "${HEADER}"`);
    const [layer] = built.layers;
    front.on(new RegExp(`GET .*${layer?.digest}`), {
      kind: "answer",
      status: 307,
      headers: { location: `${elsewhere.origin}/storage?signature=${HEADER}` },
    });
    elsewhere.on(/GET \/storage/, { kind: "answer", status: 200, body: layer?.bytes ?? "" });
    await pull(`${front.host}/app:1`, { auth: { [front.host]: CREDENTIAL } });
    expect(elsewhere.requests).toHaveLength(1);
    expect(Object.keys(elsewhere.requests[0]?.headers ?? {}).toSorted()).toEqual([
      "accept-encoding",
      "connection",
      "host",
      "user-agent",
    ]);
  });

  test("when what it is redirected to wants a password", async () => {
    front.on(/GET .*blobs/, {
      kind: "answer",
      status: 302,
      headers: { location: `${elsewhere.origin}/x?key=${HEADER}` },
    });
    elsewhere.on(/./, {
      kind: "answer",
      status: 401,
      headers: { "www-authenticate": 'Basic realm="give me"' },
    });
    const auth = { [front.host]: CREDENTIAL, [elsewhere.host]: CREDENTIAL };
    await expect(pull(`${front.host}/app:1`, { auth })).rejects.toMatchObject({ kind: "unauthenticated" });
    expect(elsewhere.requests.map(({ headers }) => headers["authorization"])).toEqual([undefined]);
  });

  test("when what it is redirected to gives tokens: it gets one that is for anybody", async () => {
    await using real = await startFaultProxy(registry.origin);
    await hostsToml(front.host, `[header]\nx-key = "${HEADER}"`);
    const basic = `Basic ${Buffer.from(`user:${PASSWORD}`).toString("base64")}`;
    front.on(/v2/, () => ({
      kind: "answer",
      status: 307,
      headers: { location: `${real.origin}${front.requests.at(-1)?.path}` },
    }));
    elsewhere.on(/token/, { kind: "answer", status: 200, body: JSON.stringify({ token: "for-anybody" }) });
    real.on(/v2/, () =>
      real.requests.at(-1)?.headers["authorization"] === "Bearer for-anybody"
        ? { kind: "answer", status: 404 }
        : {
            kind: "answer",
            status: 401,
            headers: {
              "www-authenticate": `Bearer realm="${elsewhere.origin}/token",scope="repository:app:pull"`,
            },
          },
    );
    const auth = { [front.host]: CREDENTIAL, [real.host]: CREDENTIAL, [elsewhere.host]: CREDENTIAL };
    await expect(pull(`${front.host}/app:1`, { auth })).rejects.toMatchObject({ kind: "not-found" });
    expect(elsewhere.requests.map(({ path }) => path)).toEqual(["/token?scope=repository%3Aapp%3Apull"]);
    const seen = inspect([...real.requests, ...elsewhere.requests], { depth: 9 });
    expect(seen).not.toContain(basic);
    expect(seen).not.toContain(HEADER);
  });

  test("bad input 20: when the realm is a host that has no business with the registry", async () => {
    // `localhost` is another name than 127.0.0.1, where the registry is.
    const realm = elsewhere.origin.replace("127.0.0.1", "localhost");
    front.on(/./, {
      kind: "answer",
      status: 401,
      headers: { "www-authenticate": `Bearer realm="${realm}/token",service="s"` },
    });
    elsewhere.on(/./, { kind: "answer", status: 200, body: JSON.stringify({ token: "t" }) });
    const auth = { [front.host]: CREDENTIAL };
    await expect(pull(`${front.host}/app:1`, { auth })).rejects.toMatchObject({
      kind: "permission-denied",
      message: expect.stringMatching(/outside the registry.s domain.*tokenHosts/),
    });
    expect(elsewhere.requests).toEqual([]);
    // `tokenHosts` allows the host.
    await expect(pull(`${front.host}/app:1`, { auth, tokenHosts: ["localhost"] })).rejects.toMatchObject({
      kind: "unauthenticated",
    });
    expect(elsewhere.requests[0]?.headers["authorization"]).toMatch(/^Basic /);
  });

  test("bad input 21: when https redirects to http", async () => {
    await using secure = await startFaultProxy(registry.origin, { tls: await authority.issue("secure") });
    await hostsToml(secure.host, `server = "${secure.origin}"\nca = ${JSON.stringify(authority.certFile)}`);
    secure.on(/GET .*blobs/, {
      kind: "answer",
      status: 307,
      headers: { location: `${elsewhere.origin}/x?key=${HEADER}` },
    });
    await expect(pull(`${secure.host}/app:1`, { auth: { [secure.host]: CREDENTIAL } })).rejects.toMatchObject(
      {
        kind: "permission-denied",
        message: expect.stringContaining("plain http"),
      },
    );
    expect(elsewhere.requests).toEqual([]);
  });

  test("bad input 20: when https sends us to an http realm", async () => {
    await using secure = await startFaultProxy(registry.origin, { tls: await authority.issue("secure-2") });
    await hostsToml(secure.host, `server = "${secure.origin}"\nca = ${JSON.stringify(authority.certFile)}`);
    secure.on(/./, {
      kind: "answer",
      status: 401,
      headers: { "www-authenticate": `Bearer realm="${elsewhere.origin}/token"` },
    });
    for (const auth of [{ [secure.host]: CREDENTIAL }, "anonymous"] as const) {
      await expect(pull(`${secure.host}/app:1`, { auth })).rejects.toMatchObject({
        kind: "permission-denied",
      });
    }
    expect(elsewhere.requests).toEqual([]);
  });

  test("bad input 21: when a token service redirects", async () => {
    front.on(/manifests/, {
      kind: "answer",
      status: 401,
      headers: { "www-authenticate": `Bearer realm="${front.origin}/token"` },
    });
    front.on(/\/token/, { kind: "answer", status: 307, headers: { location: `${elsewhere.origin}/token` } });
    elsewhere.on(/./, { kind: "answer", status: 200, body: JSON.stringify({ token: "t" }) });
    await expect(pull(`${front.host}/app:1`, { auth: { [front.host]: CREDENTIAL } })).rejects.toMatchObject({
      kind: "unauthenticated",
    });
    await expect(
      pull(`${front.host}/app:1`, { auth: { [front.host]: { identityToken: REFRESH } } }),
    ).rejects.toBeDefined();
    expect(elsewhere.requests.every(({ method }) => method === "GET")).toBe(true);
    expect(inspect(elsewhere.requests, { depth: 9 })).not.toMatch(/canary|authorization/i);
  });

  test("of hosts.toml, in its headers, but for a token service at the registry's own origin", async () => {
    await hostsToml(front.host, `[header]\nx-key = "${HEADER}"`);
    const challenge = (origin: string) => ({
      kind: "answer" as const,
      status: 401,
      headers: { "www-authenticate": `Bearer realm="${origin}/token"` },
    });
    const token = { kind: "answer", status: 200, body: JSON.stringify({ token: "t" }) } as const;
    for (const service of [front, elsewhere]) {
      front.on(/manifests/, challenge(service.origin));
      service.on(/\/token/, token);
      for (const auth of [{ [front.host]: CREDENTIAL }, { [front.host]: { identityToken: REFRESH } }]) {
        await expect(pull(`${front.host}/app:1`, { auth })).rejects.toMatchObject({
          kind: "unauthenticated",
        });
      }
    }
    const keys = (service: FaultProxy) =>
      service.requests.filter(({ path }) => path.includes("token")).map(({ headers }) => headers["x-key"]);
    expect(keys(front)).toEqual([HEADER, HEADER]);
    expect(keys(elsewhere)).toEqual([undefined, undefined]);
  });

  test("when the registry says them back", async () => {
    const basic = Buffer.from(`user:${PASSWORD}`).toString("base64");
    front.on(/./, (count) =>
      count === 0
        ? { kind: "answer", status: 401, headers: { "www-authenticate": "Basic realm=a" } }
        : {
            kind: "answer",
            status: 400,
            body: JSON.stringify({
              errors: [{ code: "UNKNOWN", message: `you said Basic ${basic}, that is user:${PASSWORD}` }],
            }),
          },
    );
    await expect(pull(`${front.host}/app:1`, { auth: { [front.host]: CREDENTIAL } })).rejects.toThrow(
      "you said Basic ***, that is ***",
    );
  });
});

test("bad input 25: no secret was said to anybody, by us or by the daemon", async () => {
  expect(told.length).toBeGreaterThan(20);
  // Each request that was begun was told to be over.
  const requests = told.filter((each) => typeof each === "object" && each !== null && "resource" in each);
  const over = requests.filter((each) => (each as RegistryRequestDiagnostic).durationMs !== undefined);
  expect(requests.length).toBe(2 * over.length);
  for (const resource of ["tokens", "manifests", "blobs"])
    expect(told).toContainEqual(expect.objectContaining({ resource }));
  expect(told).toContainEqual(expect.stringMatching(/^registry GET http:.* tokens, status 200, received /));
  const everything = `${inspect(told, { depth: 12, maxArrayLength: null, maxStringLength: null })}${await readFile(at.daemon.logPath, "utf8")}`;
  const secrets = [PASSWORD, REFRESH, HEADER, `user:${PASSWORD}`].flatMap((secret) => [
    secret,
    Buffer.from(secret).toString("base64"),
    Buffer.from(secret).toString("base64url"),
  ]);
  for (const secret of secrets) expect(everything).not.toContain(secret);
  for (const reason of told)
    if (reason instanceof Error) expect(String(reason.stack)).not.toContain("canary");
});
