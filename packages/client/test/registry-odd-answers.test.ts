import { randomBytes } from "node:crypto";
import { brotliCompressSync, constants, deflateSync, gzipSync } from "node:zlib";
import type { PullOptions } from "@wfe-containerd/client";
import { useDaemon } from "@wfe-containerd/test-infra/daemon";
import { type BuiltImage, buildImage } from "@wfe-containerd/test-infra/images";
import { startRegistry, type TestRegistry } from "@wfe-containerd/test-infra/registry";
import {
  type Fault,
  type FaultProxy,
  startFaultProxy,
} from "@wfe-containerd/test-infra/registry/fault-proxy";
import { putAsBuilt } from "@wfe-containerd/test-infra/registry/put-as-built";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { patientClock } from "./patient-clock.js";

const at = useDaemon({ image: false });
const LAYER_BYTES = 1024 * 1024;
let registry: TestRegistry;
let proxy: FaultProxy;
/** The layer of `plain` is an uncompressed tar. The layer of `zipped` is gzip. */
let plain: BuiltImage;
let zipped: BuiltImage;

beforeAll(async () => {
  registry = await startRegistry();
  proxy = await startFaultProxy(registry.origin);
  const layers = [[{ path: "data", contents: randomBytes(LAYER_BYTES) }]];
  plain = await buildImage({ layers, compression: "none" });
  zipped = await buildImage({ layers, compression: "gzip" });
  await putAsBuilt(registry.origin, "app", "plain", [plain]);
  await putAsBuilt(registry.origin, "app", "zipped", [zipped]);
});
afterAll(async () => {
  await proxy?.[Symbol.asyncDispose]();
  await registry?.[Symbol.asyncDispose]();
});
afterEach(async () => {
  proxy.reset();
  for (const { name } of await at.client.images.list()) await at.client.images.remove(name, { sync: true });
  await at.client.leases.collectGarbage();
});

async function pull(tag: "plain" | "zipped", more: PullOptions = {}): Promise<void> {
  const { clock } = patientClock();
  const image = await at.client.images.pull(`${proxy.host}/app:${tag}`, {
    auth: "anonymous",
    clock,
    ...more,
  });
  expect(image.target.digest).toBe((tag === "plain" ? plain : zipped).manifest.digest);
  expect(await at.client.images.isUnpacked(image)).toBe(true);
}

const layerOf = (image: BuiltImage): { digest: string; bytes: Uint8Array } => {
  const [layer] = image.layers;
  return { digest: layer?.digest ?? "", bytes: layer?.bytes ?? new Uint8Array() };
};
const layerRequest = (image: BuiltImage): RegExp => new RegExp(`^GET .*${layerOf(image).digest}`);
const ranges = (image: BuiltImage): (string | undefined)[] =>
  proxy.requests
    .filter(({ path }) => path.includes(layerOf(image).digest))
    .map(({ headers }) => headers["range"]);

describe("a cut, and then an answer to the Range that is no help", () => {
  const answer = (
    status: number,
    headers: Record<string, string> = {},
    body: string | Uint8Array = "no",
  ): Fault => ({
    kind: "answer",
    status,
    headers,
    body,
  });

  test.each([400, 403, 416, 501])("%d: the blob is asked for from its beginning", async (status) => {
    proxy.on(layerRequest(plain), (count) => {
      if (count === 0) return { kind: "cut", afterBytes: 600_000 };
      return proxy.requests.at(-1)?.headers["range"] === undefined ? undefined : answer(status);
    });
    await pull("plain");
    expect(ranges(plain)).toEqual([undefined, expect.stringMatching(/^bytes=\d+-$/), undefined]);
  });

  test.each<[string, (from: number) => Fault]>([
    ["206 without Content-Range", (from) => answer(206, {}, layerOf(plain).bytes.subarray(from))],
    ["206 with a Content-Range that is no range", () => answer(206, { "content-range": "bytes */7" })],
    [
      "206 that begins elsewhere",
      (from) => {
        const { bytes } = layerOf(plain);
        const range = `bytes ${from - 1}-${bytes.byteLength - 1}/${bytes.byteLength}`;
        return answer(206, { "content-range": range }, bytes.subarray(from - 1));
      },
    ],
    [
      "206 of something larger",
      (from) => {
        const { bytes } = layerOf(plain);
        return answer(
          206,
          { "content-range": `bytes ${from}-${bytes.byteLength}/9999999` },
          bytes.subarray(from),
        );
      },
    ],
    [
      "206 with a content coding",
      (from) => {
        const { bytes } = layerOf(plain);
        const range = `bytes ${from}-${bytes.byteLength - 1}/${bytes.byteLength}`;
        return answer(
          206,
          { "content-range": range, "content-encoding": "gzip" },
          gzipSync(bytes.subarray(from)),
        );
      },
    ],
    ["200 with the rest alone", (from) => answer(200, {}, layerOf(plain).bytes.subarray(from))],
    ["multipart", () => answer(206, { "content-type": "multipart/byteranges; boundary=x" }, "--x--")],
  ])("%s: the same", async (_, fault) => {
    proxy.on(layerRequest(plain), (count) => {
      if (count === 0) return { kind: "cut", afterBytes: 600_000 };
      const range = proxy.requests.at(-1)?.headers["range"];
      return range === undefined ? undefined : fault(Number(/\d+/.exec(range)?.[0]));
    });
    await pull("plain");
    expect(ranges(plain)).toEqual([undefined, expect.stringMatching(/^bytes=\d+-$/), undefined]);
  });

  test("500 for each Range: it is given up after some", async () => {
    proxy.on(layerRequest(plain), (count) => {
      if (count === 0) return { kind: "cut", afterBytes: 600_000 };
      return proxy.requests.at(-1)?.headers["range"] === undefined ? undefined : answer(500);
    });
    await pull("plain");
    expect(ranges(plain).at(-1)).toBeUndefined();
  });

  test.each([401, 404, 410])("%d says that it is not to be had: no more is asked", async (status) => {
    proxy.on(layerRequest(plain), (count) =>
      count === 0 ? { kind: "cut", afterBytes: 600_000 } : answer(status),
    );
    await expect(pull("plain")).rejects.toMatchObject({
      message: expect.stringContaining(`answers ${status}`),
    });
    expect(ranges(plain)).toHaveLength(2);
  });

  test("206 for the whole, though no Range was asked for, is the whole", async () => {
    const { bytes } = layerOf(plain);
    const headers = { "content-range": `bytes 0-${bytes.byteLength - 1}/${bytes.byteLength}` };
    proxy.on(layerRequest(plain), answer(206, headers, bytes));
    await pull("plain");
  });
});

describe("an answer with a content coding that nobody asked for", () => {
  const fast = { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } };
  const br = (bytes: Uint8Array): Buffer => brotliCompressSync(bytes, fast);
  const CODERS = { gzip: gzipSync, "x-gzip": gzipSync, deflate: deflateSync, br } as const;
  const codings = Object.keys(CODERS) as (keyof typeof CODERS)[];

  function code(
    match: RegExp,
    bytes: Uint8Array,
    type: string,
    coding: keyof typeof CODERS,
    more: object = {},
  ): void {
    const body = CODERS[coding](bytes);
    proxy.on(match, {
      kind: "answer",
      status: 200,
      body,
      headers: { "content-type": type, "content-encoding": coding, ...more },
    });
  }

  test.each(codings)(
    "%s, of the manifest: by HEAD and GET, with its tag and by its digest",
    async (coding) => {
      const { digest, bytes } = plain.manifest;
      const { mediaType } = JSON.parse(Buffer.from(bytes).toString()) as { mediaType: string };
      const headers = { "docker-content-digest": digest };
      code(/(?:HEAD|GET) .*\/manifests\//, bytes, mediaType, coding, headers);
      await pull("plain");
      const image = await at.client.images.pull(`${proxy.host}/app@${digest}`, { auth: "anonymous" });
      expect(image.target.size).toBe(bytes.byteLength);
    },
  );

  test.each(codings)("%s, of the config", async (coding) => {
    const { digest, bytes } = plain.config;
    code(new RegExp(`^GET .*${digest}`), bytes, "application/octet-stream", coding);
    await pull("plain");
  });

  test.each(codings)("%s, of a layer, with and without a length", async (coding) => {
    for (const more of [{}, { "content-length": undefined, "transfer-encoding": "chunked" }]) {
      proxy.reset();
      const { bytes } = layerOf(plain);
      code(layerRequest(plain), bytes, "application/octet-stream", coding, more);
      await pull("plain");
      await at.client.images.remove(`${proxy.host}/app:plain`, { sync: true });
    }
  });

  test("of a layer that is gzip itself, on top of that", async () => {
    for (const more of [{}, { "content-length": undefined, "transfer-encoding": "chunked" }]) {
      proxy.reset();
      code(layerRequest(zipped), layerOf(zipped).bytes, "application/octet-stream", "gzip", more);
      await pull("zipped");
      await at.client.images.remove(`${proxy.host}/app:zipped`, { sync: true });
    }
  });

  test("is not taken off a layer that is stored under such a header, and is gzip itself", async () => {
    for (const more of [{}, { "content-length": undefined, "transfer-encoding": "chunked" }]) {
      proxy.reset();
      const headers = { "content-encoding": "gzip", ...more };
      proxy.on(layerRequest(zipped), { kind: "headers", headers });
      await pull("zipped");
      await at.client.images.remove(`${proxy.host}/app:zipped`, { sync: true });
    }
  });

  test("is named when it is not known, and when the body is not in it", async () => {
    const { digest, bytes } = plain.config;
    for (const [coding, message] of [
      ["rot13", /content coding "rot13"; allowed: gzip, deflate, br, zstd/],
      ["gzip", /says Content-Encoding: gzip, but its body is not in that coding/],
    ] as const) {
      proxy.reset();
      proxy.on(new RegExp(`^GET .*${digest}`), {
        kind: "answer",
        status: 200,
        body: bytes,
        headers: { "content-encoding": coding },
      });
      await expect(pull("plain")).rejects.toThrow(message);
    }
  });
});

describe("a challenge and a token as some services send them", () => {
  test.each<[string, (realm: string) => string, Fault & { kind: "answer" }]>([
    ["blanks for commas", (realm) => `Bearer realm="${realm}" service="s"`, { kind: "answer", status: 200 }],
    ["no quotes", (realm) => `bearer realm=${realm},service=s`, { kind: "answer", status: 200 }],
    [
      "a comma at the end",
      (realm) => `Bearer realm="${realm}",service="s",`,
      { kind: "answer", status: 200 },
    ],
    [
      "another scheme first",
      (realm) => `Negotiate, Bearer service="s",realm="${realm}"`,
      { kind: "answer", status: 200 },
    ],
    ["the status 201", (realm) => `Bearer realm="${realm}",service="s"`, { kind: "answer", status: 201 }],
    ["the status 203", (realm) => `Bearer realm="${realm}",service="s"`, { kind: "answer", status: 203 }],
    [
      "a content coding",
      (realm) => `Bearer realm="${realm}",service="s"`,
      {
        kind: "answer",
        status: 200,
        headers: { "content-encoding": "gzip" },
        body: gzipSync('{"token":"t"}'),
      },
    ],
    [
      "names in another case",
      (realm) => `BEARER REALM="${realm}",SERVICE="s"`,
      { kind: "answer", status: 200, body: '{"Token":"t","Access_Token":null}' },
    ],
  ])("with %s", async (_, challenge, answer) => {
    await using service = await startFaultProxy();
    service.on(/^GET \/token\?(?:.*&)?service=s/, { body: '{"token":"t"}', ...answer });
    const headers = { "www-authenticate": challenge(`${service.origin}/token`) };
    proxy.on(/./, () =>
      proxy.requests.at(-1)?.headers["authorization"] === "Bearer t"
        ? undefined
        : { kind: "answer", status: 401, headers },
    );
    await pull("plain");
    expect(service.requests.length).toBeGreaterThan(0);
  });

  test("from a service on this machine that nobody runs: told at once", async () => {
    const gone = await startFaultProxy();
    await gone[Symbol.asyncDispose]();
    const headers = { "www-authenticate": `Bearer realm="${gone.origin}/token"` };
    proxy.on(/./, { kind: "answer", status: 401, headers });
    const { clock, slept } = patientClock();
    await expect(pull("plain", { clock })).rejects.toThrow(
      `${gone.origin}/token: nothing listens on this port`,
    );
    expect(slept).toEqual([]);
  });
});
