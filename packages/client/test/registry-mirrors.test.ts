import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PullOptions, ResolvedImage } from "@wfe-containerd/client";
import { type Inventory, useDaemon } from "@wfe-containerd/test-infra/daemon";
import { type BuiltImage, buildImage } from "@wfe-containerd/test-infra/images";
import { startRegistry, type TestRegistry } from "@wfe-containerd/test-infra/registry";
import { type FaultProxy, startFaultProxy } from "@wfe-containerd/test-infra/registry/fault-proxy";
import { putAsBuilt } from "@wfe-containerd/test-infra/registry/put-as-built";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { patientClock } from "./patient-clock.js";

const at = useDaemon({ image: false });
let upstream: TestRegistry;
let registry: FaultProxy;
let mirror: FaultProxy;
let built: BuiltImage;
let name: string;
let directory: string;
let before: Inventory;

beforeAll(async () => {
  upstream = await startRegistry();
  registry = await startFaultProxy(upstream.origin);
  mirror = await startFaultProxy(upstream.origin);
  name = `${registry.host}/app:1`;
  built = await buildImage({ layers: [[{ path: "data", contents: randomBytes(1_000_000) }]] });
  await putAsBuilt(upstream.origin, "app", "1", [built]);
  directory = await mkdtemp(join(tmpdir(), "certs.d-"));
  await mkdir(join(directory, registry.host));
});
afterAll(async () => {
  await rm(directory, { recursive: true });
  await mirror?.[Symbol.asyncDispose]();
  await registry?.[Symbol.asyncDispose]();
  await upstream?.[Symbol.asyncDispose]();
});

beforeEach(async () => {
  before = await at.inventory();
  await trustMirror(["pull", "resolve"]);
});
afterEach(async () => {
  mirror.reset();
  registry.reset();
  for (const image of await at.client.images.list())
    await at.client.images.remove(image.name, { sync: true });
  await at.expectNothingLeft(before);
});

async function trustMirror(capabilities: readonly string[]): Promise<void> {
  const text = `[host."${mirror.origin}"]\ncapabilities = ${JSON.stringify(capabilities)}`;
  await writeFile(join(directory, registry.host, "hosts.toml"), text);
}

/** Pulls, and returns how often it waited before a retry. */
async function pull(
  reference = name,
  more: PullOptions = {},
): Promise<{ image: ResolvedImage; waits: number }> {
  const { clock, slept } = patientClock();
  const options = {
    auth: "anonymous",
    hosts: { directories: [directory] },
    timeouts: { stallMs: 2_000 },
    clock,
  } as const;
  const image = await at.client.images.pull(reference, { ...options, ...more });
  expect(await at.client.images.isUnpacked(image)).toBe(true);
  return { image, waits: slept.length };
}

const page = {
  kind: "answer",
  status: 200,
  headers: { "content-type": "text/html", "docker-content-digest": undefined },
  body: "<html>",
} as const;

test.each([
  ["cut every blob", /GET .*blobs/, { kind: "cut", afterBytes: 0 }],
  ["cut every blob after a little", /GET .*blobs/, { kind: "cut", afterBytes: 100 }],
  ["cut every manifest", /GET .*manifests/, { kind: "cut", afterBytes: 5 }],
  ["stall in every blob", /GET .*blobs/, { kind: "stall", afterBytes: 1 }],
  ["show a page to log in", /./, page],
  ["give no blob that they have", /GET .*blobs/, page],
  [
    "lead to where nobody may be sent",
    /GET/,
    { kind: "answer", status: 307, headers: { location: "http://192.0.2.1/" } },
  ],
  ["name a digest that is none", /HEAD/, { kind: "headers", headers: { "docker-content-digest": "md5:0" } }],
  [
    "name a size that no manifest has",
    /HEAD/,
    { kind: "headers", headers: { "content-length": "99999999" } },
  ],
] as const)("mirrors that %s are passed over, and not waited for", async (_, match, fault) => {
  mirror.on(match, fault);
  expect((await pull()).waits).toBe(0);
  expect(mirror.requests.length).toBeGreaterThan(0);
  expect(registry.requests.length).toBeGreaterThan(0);
});

test("a mirror that is cut after much is gone on with where it stopped", async () => {
  const { digest } = built.layers[0] ?? { digest: "" };
  mirror.on(new RegExp(`GET .*${digest}`), (count) =>
    count === 0 ? { kind: "cut", afterBytes: 900_000 } : undefined,
  );
  expect((await pull()).waits).toBe(1);
  expect(registry.requests).toEqual([]);
});

test.each(["7777", "99999999"])(
  "a mirror that says a manifest has %s bytes is not believed",
  async (size) => {
    await trustMirror(["pull"]);
    mirror.on(/HEAD/, { kind: "headers", headers: { "content-length": size } });
    for (const fault of [undefined, { kind: "answer", status: 404 }] as const) {
      mirror.on(/GET/, () => fault);
      const { image, waits } = await pull(`${registry.host}/app@${built.manifest.digest}`);
      expect(image.target.size).toBe(built.manifest.bytes.byteLength);
      expect(waits).toBe(0);
      await at.client.images.remove(image.name, { sync: true });
    }
  },
);

test("what each host made of it is told, and the registry's word decides", async () => {
  mirror.on(/GET .*blobs/, { kind: "cut", afterBytes: 0 });
  registry.on(/GET .*blobs/, { kind: "answer", status: 404 });
  await expect(pull()).rejects.toMatchObject({
    kind: "not-found",
    message: expect.stringMatching(`${mirror.host}.* cut; .*${registry.host}.* answers 404`),
  });
  mirror.on(/GET .*blobs/, { kind: "flip", atByte: 3 });
  await expect(pull()).rejects.toMatchObject({
    kind: "not-found",
    message: expect.stringMatching(
      `${mirror.host} answers with other bytes.*; .*${registry.host}.* answers 404`,
    ),
  });
  registry.on(/GET .*blobs/, { kind: "flip", atByte: 3 });
  await expect(pull()).rejects.toMatchObject({
    kind: "data-loss",
    message: expect.stringMatching(
      `${mirror.host} answers with other bytes.*; .*${registry.host} answers with other bytes`,
    ),
  });
});

test("each host is told of by the URL that it was asked for", async () => {
  const odd = `[host."${mirror.origin}/cache/of/it"]\noverride_path = true`;
  await writeFile(join(directory, registry.host, "hosts.toml"), odd);
  for (const each of [mirror, registry]) each.on(/./, { kind: "answer", status: 404 });
  await expect(pull()).rejects.toThrow(
    `${mirror.origin}/cache/of/it/app/manifests/1 answers 404; ${registry.origin}/v2/app/manifests/1 answers 404`,
  );
});

test("when every host is broken, they are asked again in their order", async () => {
  const { digest } = built.layers[0] ?? { digest: "" };
  for (const each of [mirror, registry]) {
    each.on(new RegExp(`GET .*${digest}`), (count) =>
      count === 0 ? { kind: "cut", afterBytes: 0 } : undefined,
    );
  }
  expect((await pull()).waits).toBe(1);
  expect(mirror.requests.filter(({ path }) => path.includes(digest))).toHaveLength(2);
});
