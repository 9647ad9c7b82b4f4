import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once as onceEmitted } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { promisify } from "node:util";
import type { PushOptions, TransferProgress } from "@wfe-containerd/client";
import { type Inventory, once, useDaemon } from "@wfe-containerd/test-infra/daemon";
import { type BuiltImage, buildImage, ociArchive, toBlob } from "@wfe-containerd/test-infra/images";
import { startRegistry, type TestRegistry } from "@wfe-containerd/test-infra/registry";
import {
  type Authority,
  type Certificate,
  createAuthority,
} from "@wfe-containerd/test-infra/registry/certificates";
import { type FaultProxy, startFaultProxy } from "@wfe-containerd/test-infra/registry/fault-proxy";
import { startTokenServer } from "@wfe-containerd/test-infra/registry/token-server";
import { startUploadServer } from "@wfe-containerd/test-infra/registry/upload-server";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";

const run = promisify(execFile);
const at = useDaemon({ image: false });
const LAYER_BYTES = 9 * 1024 * 1024;
let registry: TestRegistry;
let proxy: FaultProxy;
let authority: Authority;
let app: BuiltImage;
let arm: BuiltImage;
let before: Inventory;
/** For tests that wait until the push gives up. */
const soon = { firstDelayMs: 10, deadlineMs: 300 };
const options: PushOptions = {
  auth: "anonymous",
  retry: { firstDelayMs: 10, deadlineMs: 60_000 },
};

beforeAll(async () => {
  authority = await createAuthority();
  registry = await startRegistry();
  proxy = await startFaultProxy(registry.origin);
});
afterAll(async () => {
  await proxy?.[Symbol.asyncDispose]();
  await registry?.[Symbol.asyncDispose]();
  await authority?.[Symbol.asyncDispose]();
});

beforeEach(async () => {
  before = await at.inventory();
  // Random bytes, so that no registry has them yet.
  app = await buildImage({
    layers: [
      [{ path: "data", contents: randomBytes(LAYER_BYTES) }],
      [{ path: "small", contents: randomBytes(9) }],
    ],
  });
  arm = await buildImage({ layers: [[{ path: "arm", contents: randomBytes(9) }]], architecture: "arm64" });
  await at.client.images.import(once(await ociArchive([app, arm])), { name: "multi:1" });
  await at.client.images.import(once(await ociArchive(app)), { name: "app:1" });
});

afterEach(async () => {
  proxy.reset();
  for (const { name } of await at.client.images.list()) await at.client.images.remove(name, { sync: true });
  await at.expectNothingLeft(before);
});

interface Inspected {
  readonly Digest: string;
  readonly Layers: readonly string[];
}

/** What skopeo reports about an image. */
async function inspect(name: string, ...args: string[]): Promise<Inspected> {
  const { stdout } = await run("skopeo", ["inspect", "--tls-verify=false", ...args, `docker://${name}`]);
  return JSON.parse(stdout) as Inspected;
}

const asked = (): string[] =>
  proxy.requests.map(
    ({ method, path }) => `${method} ${path.replace(/\?.*/, "").replace(/uploads\/.+/, "uploads/…")}`,
  );
const digests = (image: BuiltImage): string[] => image.layers.map(({ digest }) => digest);

describe("a push", () => {
  test("is found by others, byte for byte, and pulled again", async () => {
    const name = `${registry.host}/team/app:1`;
    const pushed = await at.client.images.push("app:1", { ...options, as: name });
    expect(pushed).toMatchObject({ name, target: { digest: app.manifest.digest } });
    expect(await inspect(name)).toMatchObject({ Digest: app.manifest.digest, Layers: digests(app) });
    await at.client.images.pull(name, { auth: "anonymous" });
  });

  test("of an image under its registry's name needs no other one", async () => {
    const name = `${registry.host}/named:1`;
    await at.client.images.tag("app:1", name);
    await at.client.images.push(name, options);
    expect((await inspect(name)).Digest).toBe(app.manifest.digest);
  });

  test("sends what is there already not again", async () => {
    const name = `${proxy.host}/again:1`;
    await at.client.images.push("app:1", { ...options, as: name });
    proxy.reset();
    await at.client.images.push("app:1", { ...options, as: `${proxy.host}/again:2` });
    const [layer, small] = digests(app);
    expect(asked().toSorted()).toEqual(
      [
        ...[layer, small, app.config.digest].map((digest) => `HEAD /v2/again/blobs/${digest}`),
        "PUT /v2/again/manifests/2",
      ].toSorted(),
    );
  });

  test("mounts what the registry has in another repository", async () => {
    const first = `${proxy.host}/base/app:1`;
    await at.client.images.push("app:1", { ...options, as: first });
    // After a pull, the client knows that the registry has these blobs.
    await at.client.images.pull(first, { auth: "anonymous" });
    proxy.reset();
    const seen: TransferProgress[] = [];
    await at.client.images.push(first, {
      ...options,
      as: `${proxy.host}/base/copy:1`,
      onProgress: (each) => seen.push(each),
    });
    expect(asked().filter((line) => !line.startsWith("HEAD"))).toEqual([
      ...Array.from({ length: 3 }, () => "POST /v2/base/copy/blobs/uploads/"),
      "PUT /v2/base/copy/manifests/1",
    ]);
    expect(seen.filter(({ state }) => state === "mounted")).toHaveLength(3);
    expect((await inspect(`${registry.host}/base/copy:1`)).Layers).toEqual(digests(app));
  });

  test("of several platforms is an index of all, of some, or a manifest of one", async () => {
    const all = `${registry.host}/multi:all`;
    const { target } = await at.client.images.push("multi:1", { ...options, as: all });
    expect(target.mediaType).toContain("index");
    expect((await inspect(all, "--override-arch", "arm64")).Layers).toEqual(digests(arm));
    expect((await inspect(all, "--override-arch", app.architecture)).Layers).toEqual(digests(app));

    const [arm64, other] = ["arm64", app.architecture].map((architecture) => ({ os: "linux", architecture }));
    const one = `${registry.host}/multi:one`;
    await at.client.images.push("multi:1", { ...options, as: one, platforms: [arm64 as never] });
    expect((await inspect(one, "--override-arch", "arm64")).Digest).toBe(arm.manifest.digest);

    const some = `${registry.host}/multi:some`;
    const reduced = await at.client.images.push("multi:1", {
      ...options,
      as: some,
      platforms: [other as never, arm64 as never],
    });
    expect(reduced.target.mediaType).toContain("index");
    expect((await inspect(some, "--override-arch", "arm64")).Layers).toEqual(digests(arm));
    await expect(
      at.client.images.push("multi:1", {
        ...options,
        as: some,
        platforms: [{ os: "linux", architecture: "s390x" }],
      }),
    ).rejects.toMatchObject({ kind: "not-found", message: expect.stringContaining("linux/arm64") });
  });

  test("of an image of which a platform is not here is refused, and says which", async () => {
    const name = `${registry.host}/multi:partial`;
    await at.client.images.push("multi:1", { ...options, as: name });
    for (const image of await at.client.images.list())
      await at.client.images.remove(image.name, { sync: true });
    await at.client.images.pull(name, { auth: "anonymous" });
    const refused = at.client.images.push(name, { ...options, as: `${registry.host}/multi:2` });
    await expect(refused).rejects.toMatchObject({
      kind: "failed-precondition",
      message: expect.stringContaining("linux/arm64"),
    });
  });

  test("is told of, blob by blob", async () => {
    const seen: TransferProgress[] = [];
    await at.client.images.push("app:1", {
      ...options,
      as: `${registry.host}/told:1`,
      onProgress: (each) => seen.push(each),
    });
    const [layer] = digests(app);
    const states = seen.filter(({ what }) => what === layer).map(({ state }) => state);
    expect([states[0], states[1], states.at(-1)]).toEqual(["waiting", "pushing", "done"]);
  });

  test("leaves out layers that are not to be passed on", async () => {
    const manifest = JSON.parse(Buffer.from(app.manifest.bytes).toString());
    const urls = ["https://example.com/layer"];
    const mediaType = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    manifest.layers[0] = { ...manifest.layers[0], mediaType, urls };
    const foreign = { ...app, manifest: toBlob(manifest) };
    await at.client.images.import(once(await ociArchive(foreign)), { name: "foreign:1" });
    await using spec = await startUploadServer();
    await at.client.images.push("foreign:1", { ...options, as: `${spec.host}/foreign:1` });
    const [layer, small] = digests(app);
    expect([layer, small, app.config.digest].map((digest) => spec.blobs.has(digest ?? ""))).toEqual([
      false,
      true,
      true,
    ]);
    expect(spec.manifests.get("1")?.equals(foreign.manifest.bytes)).toBe(true);
  });

  test("goes on to its end when the image is removed meanwhile", async () => {
    const name = `${proxy.host}/removed:1`;
    let go = (): void => undefined;
    const gone = new Promise<void>((resolve) => {
      go = resolve;
    });
    const begun = new Promise<void>((resolve) => {
      proxy.on(/POST .*uploads/, () => {
        resolve();
        return { kind: "hold", until: gone };
      });
    });
    const pushing = at.client.images.push("app:1", { ...options, as: name, maxConcurrentBlobs: 1 });
    await begun;
    for (const image of await at.client.images.list()) await at.client.images.remove(image, { sync: true });
    go();
    await pushing;
    expect((await inspect(`${registry.host}/removed:1`)).Layers).toEqual(digests(app));
  });

  test("needs the right to", async () => {
    const signer = await authority.issue("push-signer");
    await using tokens = await startTokenServer({ signer, users: { user: "secret-canary-password" } });
    const { realm, service, issuer } = tokens;
    await using guarded = await startRegistry({
      token: { realm, service, issuer, certFile: signer.certFile },
    });
    const name = `${guarded.host}/app:1`;
    await expect(at.client.images.push("app:1", { ...options, as: name })).rejects.toMatchObject({
      kind: "unauthenticated",
    });
    const auth = { [guarded.host]: { username: "user", password: "secret-canary-password" } };
    await at.client.images.push("app:1", { ...options, as: name, auth });
    expect(tokens.requests.at(-1)?.scopes).toEqual(["repository:app:pull,push"]);
    await expect(at.client.images.push("absent:1", { ...options, as: name, auth })).rejects.toMatchObject({
      kind: "not-found",
    });
  });
});

describe("an upload", () => {
  const sent = (method: string): Record<string, string>[] =>
    proxy.requests
      .filter((request) => request.method === method && request.path.includes("/uploads/"))
      .map(({ headers }) => headers);

  test("that is cut goes on with what the registry has not", async () => {
    await using spec = await startUploadServer();
    await using cutting = await startFaultProxy(spec.origin);
    cutting.on(/PATCH .*uploads/, (count) =>
      count < 3 ? { kind: "cut-request", afterBytes: 2_000_000 } : undefined,
    );
    await at.client.images.push("app:1", { ...options, as: `${cutting.host}/cut:1` });
    const patches = cutting.requests.filter(({ headers }) => Number(headers["content-length"]) > 1_000_000);
    const starts = patches.map(({ headers }) =>
      Number(/^(\d+)-/.exec(headers["content-range"] ?? "0-")?.[1]),
    );
    // What was on its way at the cut may be lost: only the registry knows what it has.
    expect(starts).toEqual([0, ...spec.told]);
    expect(spec.told).toHaveLength(3);
    expect(Math.min(...spec.told)).toBeGreaterThan(0);
    for (const { digest, bytes } of app.layers) expect(spec.blobs.get(digest)?.equals(bytes)).toBe(true);
    expect(spec.manifests.get("1")?.equals(app.manifest.bytes)).toBe(true);
  });

  test("that is cut is begun anew where the registry does not know how much it has", async () => {
    proxy.on(/PATCH .*uploads/, (count) =>
      count < 3 ? { kind: "cut-request", afterBytes: 2_000_000 } : undefined,
    );
    await at.client.images.push("app:1", { ...options, as: `${proxy.host}/cut:1` });
    expect(sent("PATCH")).toHaveLength(4);
    expect((await inspect(`${registry.host}/cut:1`)).Layers).toEqual(digests(app));
  });

  test.each([
    ["goes on", 416, { range: "0-2097151" }],
    ["is begun anew", 404, {}],
  ])("%s where the registry answers %d in the midst of it", async (_, status, headers) => {
    await using spec = await startUploadServer();
    await using front = await startFaultProxy(spec.origin);
    // The second chunk is lost, as with a registry that lags behind or was restarted.
    front.on(/PATCH .*uploads/, (count) => (count === 1 ? { kind: "answer", status, headers } : undefined));
    await at.client.images.push("app:1", {
      ...options,
      as: `${front.host}/app:1`,
      chunkBytes: 2 * 1024 * 1024,
    });
    for (const { digest, bytes } of app.layers) expect(spec.blobs.get(digest)?.equals(bytes)).toBe(true);
    const count = (line: RegExp): number =>
      front.requests.filter(({ method, path }) => line.test(`${method} ${path}`)).length;
    expect(count(/^POST/)).toBe(status === 404 ? 4 : 3);
    expect(count(/^GET .*uploads/)).toBe(status === 416 ? 1 : 0);
  });

  test.each([416, 404])("that is always answered with %d is given up", async (status) => {
    await using spec = await startUploadServer();
    await using front = await startFaultProxy(spec.origin);
    front.on(/(?:PATCH|PUT) .*uploads/, { kind: "answer", status });
    const pushing = at.client.images.push("app:1", { ...options, retry: soon, as: `${front.host}/app:1` });
    await expect(pushing).rejects.toThrow(`answers ${status}; given up after`);
  });

  test("that may not begin is not asked for again", async () => {
    proxy.on(/POST .*uploads/, { kind: "answer", status: 404 });
    const pushing = at.client.images.push("app:1", {
      ...options,
      as: `${proxy.host}/app:1`,
      maxConcurrentBlobs: 1,
    });
    await expect(pushing).rejects.toMatchObject({ kind: "not-found" });
    expect(sent("POST")).toHaveLength(1);
  });

  test("is sent in chunks where that is asked for", async () => {
    await at.client.images.push("app:1", {
      ...options,
      as: `${proxy.host}/chunks:1`,
      chunkBytes: 2 * 1024 * 1024,
    });
    const size = app.layers[0]?.bytes.byteLength ?? 0;
    expect(sent("PATCH").map((headers) => headers["content-range"])).toEqual(
      Array.from(
        { length: Math.ceil(size / 2 ** 21) - 1 },
        (_, at) => `${at * 2 ** 21}-${(at + 1) * 2 ** 21 - 1}`,
      ),
    );
    expect((await inspect(`${registry.host}/chunks:1`)).Layers).toEqual(digests(app));
  });

  test("is sent in chunks that are as large as the registry wants at least", async () => {
    await using spec = await startUploadServer();
    await using front = await startFaultProxy(spec.origin);
    front.on(/POST .*uploads/, {
      kind: "headers",
      headers: { "oci-chunk-min-length": String(4 * 1024 * 1024) },
    });
    await at.client.images.push("app:1", {
      ...options,
      as: `${front.host}/chunks:1`,
      chunkBytes: 1024 * 1024,
    });
    const patches = front.requests.filter(({ method }) => method === "PATCH");
    expect(patches.map(({ headers }) => headers["content-range"])).toEqual(["0-4194303", "4194304-8388607"]);
  });

  test("needs sizes and counts that are some", async () => {
    for (const field of ["chunkBytes", "maxConcurrentBlobs"]) {
      for (const value of [0, -1, 1.5, Number.NaN]) {
        const pushing = at.client.images.push("app:1", {
          ...options,
          as: `${proxy.host}/none:1`,
          [field]: value,
        });
        await expect(pushing).rejects.toMatchObject({
          kind: "invalid-argument",
          message: expect.stringContaining(`${field}: ${value} is not a valid number; allowed: `),
        });
      }
    }
    expect(proxy.requests).toEqual([]);
  });

  test.each(["POST", "PATCH", "PUT"])("is tried again when its %s is answered with a 503", async (method) => {
    proxy.on(new RegExp(`${method} .*uploads`), (count) =>
      count < 2 ? { kind: "answer", status: 503 } : undefined,
    );
    proxy.on(/PUT .*manifests/, (count) => (count < 2 ? { kind: "answer", status: 503 } : undefined));
    await at.client.images.push("app:1", { ...options, as: `${proxy.host}/busy-${method.toLowerCase()}:1` });
  });

  test("that nobody takes is noticed, and given up", async () => {
    proxy.on(/PATCH .*uploads/, { kind: "hold", until: new Promise(() => undefined) });
    await expect(
      at.client.images.push("app:1", {
        ...options,
        retry: soon,
        timeouts: { stallMs: 500 },
        as: `${proxy.host}/stalled:1`,
      }),
    ).rejects.toMatchObject({ kind: "unavailable" });
  });

  test("is not sent to where the registry must not send us", async () => {
    const location = "http://192.0.2.1/upload";
    proxy.on(/POST .*uploads/, { kind: "answer", status: 202, headers: { location } });
    await expect(
      at.client.images.push("app:1", { ...options, as: `${proxy.host}/evil:1` }),
    ).rejects.toMatchObject({
      kind: "permission-denied",
      message: expect.stringContaining("not this machine"),
    });
  });

  test("to another host goes without what is for the registry alone", async () => {
    await using elsewhere = await startFaultProxy();
    elsewhere.on(/./, { kind: "answer", status: 201 });
    proxy.on(/POST .*uploads/, (count) =>
      count === 0
        ? { kind: "answer", status: 401, headers: { "www-authenticate": "Basic realm=a" } }
        : { kind: "answer", status: 202, headers: { location: `${elsewhere.origin}/upload` } },
    );
    const auth = { [proxy.host]: { username: "user", password: "secret-canary-password" } };
    const pushing = at.client.images.push("app:1", { ...options, auth, as: `${proxy.host}/other:1` });
    await expect(pushing).rejects.toMatchObject({ message: expect.not.stringContaining("canary") });
    expect(elsewhere.requests.length).toBeGreaterThan(0);
    for (const { headers } of elsewhere.requests) expect(headers).not.toHaveProperty("authorization");
  });

  test("to another host goes without what is said of the registry's TLS alone", async () => {
    const [own, us, theirs] = [
      await authority.issue("front"),
      await authority.issue("us"),
      await authority.issue("elsewhere"),
    ];
    await using strangers = await createAuthority();
    await using front = await startFaultProxy(undefined, { tls: own });
    const directory = await mkdtemp(join(tmpdir(), "certs.d-"));
    await mkdir(join(directory, front.host));
    const hostsToml = (rest: string): Promise<void> =>
      writeFile(
        join(directory, front.host, "hosts.toml"),
        `server = "${front.origin}"\nclient = ${JSON.stringify([[us.certFile, us.keyFile]])}\n${rest}`,
      );
    const seen: unknown[] = [];
    const serve = async ({ cert, key }: Certificate): Promise<Server> => {
      const server = createServer(
        { cert, key, requestCert: true, rejectUnauthorized: false },
        (request, response) => {
          seen.push((request.socket as TLSSocket).getPeerCertificate().subject?.CN);
          request.resume();
          response.writeHead(201, { location: "/upload" }).end();
        },
      ).listen(0, "127.0.0.1");
      await onceEmitted(server, "listening");
      // `localhost` is another host name than the registry's.
      const location = `https://localhost:${(server.address() as AddressInfo).port}/upload`;
      front.on(/POST .*uploads/, { kind: "answer", status: 202, headers: { location } });
      return server;
    };
    const push = () =>
      at.client.images.push("app:1", {
        ...options,
        hosts: { directories: [directory] },
        as: `${front.host}/other:1`,
      });

    const known = await serve(theirs);
    await hostsToml(`ca = ${JSON.stringify(authority.certFile)}`);
    await expect(push()).rejects.toMatchObject({
      kind: "not-found",
      message: expect.stringContaining("/manifests/"),
    });
    expect(seen).toEqual(Array.from({ length: 4 }, () => undefined));
    known.close();

    const unknown = await serve(await strangers.issue("unknown"));
    await hostsToml("skip_verify = true");
    await expect(push()).rejects.toThrow(/localhost.*certificate.* not trusted/);
    expect(seen).toHaveLength(4);
    unknown.close();
    await rm(directory, { recursive: true });
  });

  test("ends with the caller", async () => {
    const aborting = new AbortController();
    proxy.on(/PATCH .*uploads/, () => {
      setTimeout(() => aborting.abort(), 50);
      return { kind: "hold", until: new Promise(() => undefined) };
    });
    const pushing = at.client.images.push("app:1", {
      ...options,
      as: `${proxy.host}/aborted:1`,
      signal: aborting.signal,
    });
    await expect(pushing).rejects.toMatchObject({ kind: "canceled" });
  });
});
