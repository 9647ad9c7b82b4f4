import { execFile } from "node:child_process";
import { promisify } from "node:util";
import {
  type Client,
  observe,
  type Platform,
  type RegistryRequestDiagnostic,
  type TransferDiagnostic,
  type TransferProgress,
} from "@wfe-containerd/client";
import { useDaemon } from "@wfe-containerd/test-infra/daemon";
import {
  type BuiltImage,
  buildImage,
  busyboxArchive,
  busyboxLayer,
  ociArchive,
  toBlob,
} from "@wfe-containerd/test-infra/images";
import { putImage, startRegistry, type TestRegistry } from "@wfe-containerd/test-infra/registry";
import { type FaultProxy, startFaultProxy } from "@wfe-containerd/test-infra/registry/fault-proxy";
import { putAsBuilt, putBlob, putManifest } from "@wfe-containerd/test-infra/registry/put-as-built";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";

const run = promisify(execFile);
const at = useDaemon({ image: false });
const auth = "anonymous";
let registry: TestRegistry;
let proxy: FaultProxy;
/**
 * One image of four layers, with one layer twice, for this machine; and a small image for another platform.
 */
let platforms: BuiltImage[];

beforeAll(async () => {
  registry = await startRegistry();
  proxy = await startFaultProxy(registry.origin);
  const one = [{ path: "one", contents: "1" }];
  const two = [{ path: "two", contents: "2" }];
  platforms = [
    await buildImage({ layers: [[{ path: "arm", contents: "64" }]], architecture: "arm64" }),
    await buildImage({ layers: [await busyboxLayer(), one, two, one], config: { Cmd: ["sh"] } }),
  ];
  await putAsBuilt(registry.origin, "team/multi", "1", platforms);
  await putImage(registry, "busybox:1", await busyboxArchive());
});

afterAll(async () => {
  await proxy?.[Symbol.asyncDispose]();
  await registry?.[Symbol.asyncDispose]();
});

afterEach(async () => {
  proxy.reset();
  for (const { name } of await at.client.images.list()) await at.client.images.remove(name, { sync: true });
});

async function ctr(...args: string[]): Promise<string> {
  const { stdout } = await run("ctr", ["--address", at.daemon.socketPath, ...args]);
  return stdout;
}

async function labelsByDigest(client: Client): Promise<Record<string, Record<string, string>>> {
  const all: Record<string, Record<string, string>> = {};
  for await (const { digest, labels } of client.content.list()) all[digest] = { ...labels };
  for await (const { name, labels } of client.snapshots.list()) all[`snapshot ${name}`] = { ...labels };
  return all;
}

describe("what is pulled", () => {
  test("is observed as a whole, and request by request", async () => {
    const transfers: TransferDiagnostic[] = [];
    const requests: RegistryRequestDiagnostic[] = [];
    const stop = observe({
      transfer: { end: (message) => transfers.push(message) },
      registryRequest: { end: (message) => requests.push(message) },
    });
    const name = `${registry.host}/team/multi:1`;
    const { target, layers, manifest } = await at.client.images.pull(name, { auth });
    await expect(at.client.images.pull(`${registry.host}/team/none:1`, { auth })).rejects.toThrow();
    stop();

    const { address, namespace } = at.client;
    const common = { operation: "pull", via: "client", address, namespace, durationMs: expect.any(Number) };
    expect(transfers).toEqual([
      { ...common, image: name, digest: target.digest, errorKind: undefined },
      { ...common, image: `${registry.host}/team/none:1`, digest: undefined, errorKind: "not-found" },
    ]);
    for (const { durationMs, errorKind, scheme, host, sentBytes } of requests)
      expect({ durationMs, errorKind, scheme, host, sentBytes }).toEqual({
        durationMs: expect.any(Number),
        errorKind: undefined,
        scheme: "http",
        host: registry.host,
        sentBytes: 0,
      });
    const read = (resource: string) =>
      requests.flatMap(({ method, repository, receivedBytes, status, ...other }) =>
        other.resource === resource && method === "GET" && repository === "team/multi"
          ? [[status, receivedBytes]]
          : [],
      );
    expect(read("manifests")).toEqual([
      [200, target.size],
      [200, manifest.size],
    ]);
    const sizes = new Map(layers.map(({ digest, size }) => [digest, size]));
    for (const size of sizes.values()) expect(read("blobs")).toContainEqual([200, size]);
    expect(requests).toContainEqual(expect.objectContaining({ repository: "team/none", status: 404 }));
  });

  test("is labelled as ctr labels it, so that ctr checks, runs and removes it as its own", async () => {
    const name = `${registry.host}/team/multi:1`;
    const image = await at.client.images.pull(name, { auth });
    const other = at.client.with({ namespace: `${at.client.namespace}-ctr` });
    await ctr("-n", other.namespace, "images", "pull", "--plain-http", name);
    expect(await labelsByDigest(at.client)).toEqual(await labelsByDigest(other));
    expect((await at.client.images.get(name)).target).toEqual((await other.images.get(name)).target);
    await ctr("-n", other.namespace, "images", "rm", "--sync", name);

    const check = await ctr("-n", at.client.namespace, "images", "check", `name==${name}`);
    expect(check).toMatch(/complete \((\d+)\/\1\) .* true/);
    const printed = await ctr("-n", at.client.namespace, "run", "--rm", name, "check", "cat", "/one", "/two");
    expect(printed).toBe("12");
    expect(image.layers).toHaveLength(4);
    await ctr("-n", at.client.namespace, "images", "rm", "--sync", name);
    expect(await labelsByDigest(at.client)).toEqual({});
  });

  test.each([
    ["of docker's schema 2", ["--format", "v2s2"], "application/vnd.docker.image.rootfs.diff.tar.gzip"],
    [
      "in zstd",
      ["--format", "oci", "--dest-compress-format", "zstd"],
      "application/vnd.oci.image.layer.v1.tar+zstd",
    ],
  ])("may have layers %s", async (_, args, mediaType) => {
    const built = await buildImage({
      layers: [[{ path: "file", contents: mediaType }]],
      compression: "none",
    });
    await putImage(registry, "formats:1", await ociArchive(built), { args });
    const image = await at.client.images.pull(`${registry.host}/formats:1`, { auth });
    expect(image.layers.map((layer) => layer.mediaType)).toEqual([mediaType]);
    expect(await at.client.images.isUnpacked(image)).toBe(true);
  });

  test("may have layers that are not compressed, and none at all", async () => {
    const plain = await buildImage({ layers: [[{ path: "file", contents: "plain" }]], compression: "none" });
    await putAsBuilt(registry.origin, "formats", "plain", [plain]);
    await putAsBuilt(registry.origin, "formats", "empty", [await buildImage({ layers: [] })]);
    const image = await at.client.images.pull(`${registry.host}/formats:plain`, { auth });
    expect(await at.client.images.isUnpacked(image)).toBe(true);
    const empty = await at.client.images.pull(`${registry.host}/formats:empty`, { auth });
    expect(empty).toMatchObject({ layers: [], chainId: "" });
  });

  test("is all that the manifest lists, also what is no layer, so that it is complete to ctr and can be passed on", async () => {
    const built = await buildImage({ layers: [[{ path: "x", contents: "x" }]] });
    const artifact = toBlob(Buffer.from('{"hello":1}'));
    const manifest = JSON.parse(Buffer.from(built.manifest.bytes).toString());
    const mediaType = "application/vnd.example.thing+json";
    manifest.layers.push({ mediaType, digest: artifact.digest, size: artifact.bytes.byteLength });
    const base = `${registry.origin}/v2/artifact`;
    for (const blob of [built.config, ...built.layers, artifact]) await putBlob(base, blob);
    await putManifest(base, "1", manifest.mediaType, toBlob(manifest).bytes);

    const name = `${registry.host}/artifact:1`;
    const seen = new Map<string, TransferProgress>();
    const image = await at.client.images.pull(name, {
      auth,
      onProgress: (progress) => seen.set(progress.what, progress),
    });
    expect(image).toMatchObject({ layers: [{}], artifacts: [{ mediaType, digest: artifact.digest }] });
    expect(seen.get(artifact.digest)).toMatchObject({ state: "done", offset: artifact.bytes.byteLength });
    expect(await ctr("-n", at.client.namespace, "images", "check", `name==${name}`)).toMatch(
      / complete \(3\/3\) .* true/,
    );
    await at.client.images.push(name, { auth, as: `${registry.host}/passed-on:1` });
    for await (const _ of at.client.images.export(name));
  });

  test("is for another platform when that is asked for", async () => {
    const name = `${registry.host}/team/multi:1`;
    const image = await at.client.images.pull(name, {
      auth,
      platform: { os: "linux", architecture: "arm64" },
    });
    expect(image.manifest.digest).toBe(platforms[0]?.manifest.digest);
    const platform = { os: "linux", architecture: "s390x" };
    await expect(at.client.images.pull(name, { auth, platform })).rejects.toMatchObject({
      kind: "not-found",
      message: expect.stringContaining("linux/arm64, linux/amd64"),
    });
  });

  test("is for all platforms when that is asked for, unpacked for one, and can be passed on whole", async () => {
    const name = `${proxy.host}/team/multi:1`;
    const [arm64] = platforms as [BuiltImage];
    const options = { auth, policy: "if-not-present" } as const;
    await at.client.images.pull(name, options);
    expect(await at.client.images.platforms(name)).toHaveLength(1);
    const seen = new Map<string, TransferProgress>();
    const onProgress = (progress: TransferProgress): void => void seen.set(progress.what, progress);
    const image = await at.client.images.pull(name, { ...options, platforms: "all", onProgress });
    expect(await at.client.images.platforms(name)).toHaveLength(2);
    expect(seen.get(arm64.layers[0]?.digest ?? "")).toMatchObject({ state: "done" });
    const other = await at.client.images.resolve(name, { platform: { os: "linux", architecture: "arm64" } });
    expect(await Promise.all([image, other].map((each) => at.client.images.isUnpacked(each)))).toEqual([
      true,
      false,
    ]);
    // Content that is already in the store is not requested again.
    proxy.reset();
    await at.client.images.pull(name, { ...options, platforms: "all" });
    await at.client.images.pull(name, { ...options, platforms: [other.platform] });
    expect(proxy.requests).toEqual([]);

    await at.client.leases.collectGarbage();
    const copy = `${registry.host}/copied:1`;
    expect((await at.client.images.push(name, { auth, as: copy })).target).toEqual(image.target);
    await at.client.images.pull(copy, { auth, platform: other.platform });
  });

  test("is for some platforms, and for none that the image is not for", async () => {
    const name = `${registry.host}/team/multi:1`;
    const [arm64, s390x] = ["arm64", "s390x"].map((architecture) => ({ os: "linux", architecture })) as [
      Platform,
      Platform,
    ];
    await expect(at.client.images.pull(name, { auth, platforms: [arm64, s390x] })).rejects.toMatchObject({
      kind: "not-found",
      message: expect.stringContaining("is not for linux/s390x"),
    });
    await at.client.images.pull(name, { auth, platforms: [arm64] });
    expect(await at.client.images.platforms(name)).toHaveLength(2);
  });

  describe("for a platform", () => {
    const [amd64, arm64] = ["amd64", "arm64"].map((architecture) => ({ os: "linux", architecture })) as [
      Platform,
      Platform,
    ];
    const build = (architecture: string): Promise<BuiltImage> =>
      buildImage({ layers: [[{ path: architecture, contents: architecture }]], architecture });

    test("is of an older one that the platform runs, where nothing suits better", async () => {
      const [old, other] = [await build("386"), await build("arm64")];
      await putAsBuilt(registry.origin, "older", "1", [old, other]);
      const name = `${registry.host}/older:1`;
      const image = await at.client.images.pull(name, { auth, platform: amd64 });
      expect(image.manifest.digest).toBe(old.manifest.digest);
      await at.client.images.remove(name, { sync: true });
      await putAsBuilt(registry.origin, "older", "1", [old, await build("amd64")]);
      expect((await at.client.images.pull(name, { auth, platform: amd64 })).platform).toMatchObject(amd64);
    });

    test("is what the index says is for it, whatever the config says", async () => {
      const wrong = await build("amd64");
      await putAsBuilt(registry.origin, "misstated", "1", [
        { ...wrong, architecture: "arm64" },
        await build("s390x"),
      ]);
      const name = `${registry.host}/misstated:1`;
      const image = await at.client.images.pull(name, { auth, platform: arm64 });
      expect(image).toMatchObject({ platform: arm64, manifest: { digest: wrong.manifest.digest } });
      expect(await at.client.images.platforms(name)).toEqual([arm64]);
      await expect(at.client.images.pull(name, { auth, platform: amd64 })).rejects.toMatchObject({
        kind: "not-found",
        message: expect.stringMatching(/is not for linux\/amd64; it is for: linux\/arm64, linux\/s390x$/),
      });
    });

    test("is refused where it is no index, and the config says another one", async () => {
      await putAsBuilt(registry.origin, "single", "1", [await build("arm64")]);
      await expect(
        at.client.images.pull(`${registry.host}/single:1`, { auth, platform: amd64 }),
      ).rejects.toMatchObject({
        kind: "not-found",
        message: expect.stringMatching(/is not for linux\/amd64; it is for: linux\/arm64$/),
      });
    });
  });

  test("is told of, layer by layer", async () => {
    const seen: TransferProgress[] = [];
    const image = await at.client.images.pull(`${registry.host}/team/multi:1`, {
      auth,
      onProgress: (progress) => seen.push(progress),
    });
    for (const { digest, size } of image.layers) {
      const states = seen.filter(({ what }) => what === digest).map(({ state }) => state);
      expect(states.slice(0, 2)).toEqual(["waiting", "fetching"]);
      expect(states).toContain("unpacking");
      expect(seen.filter(({ what }) => what === digest).at(-1)).toMatchObject({
        state: "done",
        offset: size,
        total: size,
      });
    }
  });
});

test.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])(
  "maxConcurrentLayers of %d is refused before anything is asked",
  async (maxConcurrentLayers) => {
    const pulling = at.client.images.pull(`${proxy.host}/team/multi:1`, { auth, maxConcurrentLayers });
    await expect(pulling).rejects.toMatchObject({
      kind: "invalid-argument",
      message: expect.stringContaining(`maxConcurrentLayers: ${maxConcurrentLayers} is`),
    });
    expect(proxy.requests).toEqual([]);
  },
);

describe("the pull policy", () => {
  const pulled = (): string[] =>
    proxy.requests.map(({ method, path }) => `${method} ${path.replace(/sha256:.*/, "…")}`);

  test("always asks, and fetches nothing that is here", async () => {
    const name = `${proxy.host}/busybox:1`;
    const first = await at.client.images.pull(name, { auth });
    expect(pulled()).toEqual([
      "HEAD /v2/busybox/manifests/1",
      "GET /v2/busybox/manifests/…",
      "GET /v2/busybox/blobs/…",
      "GET /v2/busybox/blobs/…",
    ]);
    proxy.reset();
    expect(await at.client.images.pull(name, { auth })).toEqual(first);
    expect(pulled()).toEqual(["HEAD /v2/busybox/manifests/1"]);
  });

  test("always takes what the tag names now", async () => {
    const name = `${registry.host}/moving:1`;
    for (const contents of ["old", "new"]) {
      await putAsBuilt(registry.origin, "moving", "1", [
        await buildImage({ layers: [[{ path: contents, contents }]] }),
      ]);
      const image = await at.client.images.pull(name, { auth });
      expect([
        ...(await at.client.images.readFiles(image, [`/${contents}`], { maxBytes: 9 })).keys(),
      ]).toEqual([`/${contents}`]);
    }
  });

  test("if-not-present asks only for what is not here", async () => {
    const options = { auth, policy: "if-not-present" } as const;
    const first = await at.client.images.pull(`${proxy.host}/busybox:1`, options);
    proxy.reset();
    expect(await at.client.images.pull(`${proxy.host}/busybox:1`, options)).toEqual(first);
    expect(pulled()).toEqual([]);
  });

  test("if-not-present unpacks what is here and not unpacked, and brings what is half here", async () => {
    const name = `${proxy.host}/busybox:1`;
    const options = { auth, policy: "if-not-present" } as const;
    const { chainId, layers } = await at.client.images.pull(name, options);
    const clear = async (): Promise<void> => {
      for await (const { digest, labels } of at.client.content.list()) {
        const gone = Object.keys(labels).filter((label) => label.startsWith("containerd.io/gc.ref.snapshot"));
        if (gone.length > 0)
          await at.client.content.setLabels(digest, Object.fromEntries(gone.map((label) => [label, ""])));
      }
      await at.client.leases.collectGarbage();
      await expect(at.client.snapshots.stat(chainId)).rejects.toMatchObject({ kind: "not-found" });
    };
    await clear();
    proxy.reset();
    expect(await at.client.images.isUnpacked(await at.client.images.pull(name, options))).toBe(true);
    expect(pulled()).toEqual([]);
    await clear();
    await at.client.content.delete(layers[0]?.digest ?? "");
    // Until the blob's file is collected, containerd 1.7 and later reuse it, without a byte being sent.
    await at.client.leases.collectGarbage();
    expect(await at.client.images.isUnpacked(await at.client.images.pull(name, options))).toBe(true);
    expect(pulled()).toEqual(["HEAD /v2/busybox/manifests/1", "GET /v2/busybox/blobs/…"]);
  });

  test("never asks", async () => {
    const name = `${proxy.host}/busybox:1`;
    await expect(at.client.images.pull(name, { auth, policy: "never" })).rejects.toMatchObject({
      kind: "not-found",
    });
    const first = await at.client.images.pull(name, { auth });
    proxy.reset();
    expect(await at.client.images.pull(name, { auth, policy: "never" })).toEqual(first);
    expect(pulled()).toEqual([]);
  });

  test("a digest is not what somebody else calls so", async () => {
    const { images } = at.client;
    const [wanted, other] = [
      await images.pull(`${registry.host}/busybox:1`, { auth }),
      await images.pull(`${registry.host}/team/multi:1`, { auth }),
    ];
    const name = `${registry.host}/busybox:1@${wanted.target.digest}`;
    // Another client may give any name to any image. Ours refuses a name with another digest than the
    // image's.
    await ctr("-n", at.client.namespace, "images", "tag", other.name, name);
    await expect(images.tag(other.name, name)).rejects.toMatchObject({
      kind: "invalid-argument",
      message: expect.stringContaining(other.target.digest),
    });
    await expect(images.pull(name, { auth, policy: "never" })).rejects.toMatchObject({ kind: "not-found" });
    expect((await images.pull(name, { auth, policy: "if-not-present" })).target).toEqual(wanted.target);
    expect((await images.pull(name, { auth, policy: "never" })).target).toEqual(wanted.target);
  });

  test("a digest is never pulled twice", async () => {
    const { target } = await at.client.images.pull(`${registry.host}/team/multi:1`, { auth });
    const name = `${proxy.host}/team/multi@${target.digest}`;
    const pinned = await at.client.images.pull(name, { auth, policy: "always" });
    expect(pinned.target).toEqual(target);
    proxy.reset();
    expect(await at.client.images.pull(name, { auth, policy: "always" })).toEqual(pinned);
    expect(pulled()).toEqual([]);
  });
});

describe("the verify hook", () => {
  test("sees what was resolved before anything is fetched, can read beside it, and can refuse", async () => {
    const name = `${proxy.host}/team/multi:1`;
    const before = await at.inventory();
    const refusal = at.client.images.pull(name, {
      auth,
      async verify({ target, registry: reader }) {
        const other = await reader.resolve("1");
        expect(other).toEqual(target);
        const bytes = await reader.read(target);
        expect(JSON.parse(Buffer.from(bytes).toString("utf8")).manifests).toHaveLength(2);
        throw new Error("not signed by anybody we know");
      },
    });
    await expect(refusal).rejects.toThrow("not signed by anybody we know");
    expect(proxy.requests.filter(({ path }) => path.includes("/blobs/"))).toEqual([]);
    expect(await at.client.images.list()).toEqual([]);
    await at.expectNothingLeft(before);
  });
});

describe("what images take", () => {
  test("is told in bytes and layers", async () => {
    const name = `${registry.host}/team/multi:1`;
    const image = await at.client.images.pull(name, { auth });
    const usage = await at.client.images.usage(name);
    const [, built] = platforms;
    const blobs = new Map(
      [built?.manifest, built?.config, ...(built?.layers ?? [])].map((blob) => [
        blob?.digest,
        blob?.bytes.byteLength ?? 0,
      ]),
    );
    const content = [...blobs.values()].reduce((sum, size) => sum + size, image.target.size);
    expect(usage).toMatchObject({ contentBytes: content, snapshots: 4 });
    expect(usage.snapshotBytes).toBeGreaterThan(1_000_000);
  });

  test("can be had back, of those that no container needs", async () => {
    const [used, pinned, unused, young] = ["busybox:1", "team/multi:1", "formats:empty", "formats:plain"].map(
      (name) => `${registry.host}/${name}`,
    ) as [string, string, string, string];
    for (const name of [used, pinned, unused]) await at.client.images.pull(name, { auth });
    const until = new Date();
    await at.client.images.pull(young, { auth });
    const { target } = await at.client.images.get(pinned);
    await at.client.images.put(pinned, target, { "io.cri-containerd.pinned": "pinned" });
    const image = await at.client.images.resolve(used);
    await ctr("-n", at.client.namespace, "container", "create", used, "uses-it");
    const names = async (): Promise<string[]> =>
      (await at.client.images.list()).map(({ name }) => name).toSorted();
    const removed = async (options: object): Promise<string[]> =>
      (await at.client.images.prune(options)).map(({ name }) => name);

    expect(await removed({ dryRun: true })).toEqual([unused, young]);
    expect(await removed({ until, filters: [`name~="/busybox"`] })).toEqual([]);
    expect(await removed({ until })).toEqual([unused]);
    expect(await names()).toEqual([used, pinned, young].toSorted());
    expect(await removed({})).toEqual([young]);
    expect(await at.client.images.isUnpacked(image)).toBe(true);
    await ctr("-n", at.client.namespace, "container", "rm", "uses-it");
    expect(await removed({})).toEqual([used]);
    await expect(at.client.content.info(image.manifest.digest)).rejects.toMatchObject({ kind: "not-found" });
  });
});
