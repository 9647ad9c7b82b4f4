import { FUZZ_RUNS } from "@wfe-containerd/test-infra/fuzz";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isContainerdError } from "../error.js";
import type { Descriptor } from "./descriptor.js";
import { isImageManifest, MAX_DOCUMENT_BYTES, parseImageConfig, parseIndexOrManifest } from "./manifest.js";
import { MEDIA_TYPES } from "./media-type.js";

const DIGEST = `sha256:${"a".repeat(64)}`;
const blob = { mediaType: "application/x", digest: DIGEST, size: 3 };
const manifest: Descriptor = { mediaType: MEDIA_TYPES.manifest, digest: DIGEST, size: 1 };
const index: Descriptor = { mediaType: MEDIA_TYPES.index, digest: DIGEST, size: 1 };
const bytes = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));

describe("a manifest or an index", () => {
  test("is what its descriptor says", () => {
    expect(parseIndexOrManifest(manifest, bytes({ config: blob, layers: [blob] }))).toEqual({
      config: blob,
      layers: [blob],
    });
    expect(parseIndexOrManifest(index, bytes({ manifests: [blob] }))).toEqual({ manifests: [blob] });
  });

  test.each<[string, Descriptor, unknown]>([
    ["both an index and a manifest", manifest, { manifests: [], config: blob, layers: [] }],
    ["both an index and a manifest", index, { manifests: [], layers: [] }],
    ["schema 1", manifest, { schemaVersion: 1, fsLayers: [] }],
    ["schema 1", { ...manifest, mediaType: "application/vnd.docker.distribution.manifest.v1+prettyjws" }, {}],
    ["its descriptor says", manifest, { mediaType: MEDIA_TYPES.index, config: blob, layers: [] }],
    ["is a manifest", index, { config: blob }],
    ["is a manifest", index, { layers: [] }],
    ["is an index", manifest, { manifests: [] }],
    ["layers is not a list", manifest, { config: blob, layers: {} }],
    ["manifests is not a list", index, { manifests: "x" }],
    ["config is missing", manifest, { layers: [] }],
    ["config is missing", manifest, { config: null, layers: null }],
    ["config is missing", manifest, { config: [blob] }],
    ["layers[0].digest", manifest, { config: blob, layers: [{ ...blob, digest: "md5:a" }] }],
    ["layers[0].size is -1", manifest, { config: blob, layers: [{ ...blob, size: -1 }] }],
    ["layers[0].size is undefined", manifest, { config: blob, layers: [{ ...blob, size: undefined }] }],
    ["layers[0].mediaType is missing", manifest, { config: blob, layers: [{ ...blob, mediaType: "" }] }],
    ["manifests[0].size", index, { manifests: [{ ...blob, size: 2 ** 53 }] }],
    ["layers[0].size", manifest, { config: blob, layers: [{ ...blob, size: 2 ** 60 }] }],
    ["layers[0].size", manifest, { config: blob, layers: [{ ...blob, size: "3" }] }],
    ["manifests[1]", index, { manifests: [blob, null] }],
    ["not a JSON object", manifest, []],
    ["not a JSON object", manifest, null],
  ])("is refused: %s", (problem, descriptor, document) => {
    expect(() => parseIndexOrManifest(descriptor, bytes(document))).toThrow(problem);
  });

  test("is refused when it is too large, not JSON, or not UTF-8", () => {
    expect(() => parseIndexOrManifest(manifest, new Uint8Array(MAX_DOCUMENT_BYTES + 1))).toThrow("up to");
    expect(() => parseIndexOrManifest(manifest, Buffer.from("{"))).toThrow("not JSON");
    expect(() => parseIndexOrManifest(manifest, Buffer.from([0x22, 0xff, 0x22]))).toThrow("not JSON");
  });

  // Go writes an empty list as null, and reads an absent list as empty. ctr's own export has
  // `"layers": null`.
  test.each([
    { config: blob, layers: null },
    { config: blob },
    { config: blob, manifests: null, mediaType: "" },
  ])("has no layers where its list is null or absent: %j", (document) => {
    expect(parseIndexOrManifest(manifest, bytes(document))).toEqual({ config: blob, layers: [] });
  });

  test.each([{ manifests: null }, {}, { manifests: [], config: null, layers: null }])(
    "is an empty index where its list is empty, null or absent: %j",
    (document) => {
      expect(parseIndexOrManifest(index, bytes(document))).toEqual({ manifests: [] });
    },
  );

  test("keeps an entry of an index that has no media type, as one that nobody can read", () => {
    const untyped = { digest: DIGEST, size: 3 };
    for (const entry of [untyped, { ...untyped, mediaType: null }]) {
      expect(parseIndexOrManifest(index, bytes({ manifests: [entry] }))).toEqual({
        manifests: [{ ...untyped, mediaType: "application/octet-stream" }],
      });
    }
  });

  test.each<[unknown, object]>([
    [{ os: "linux", architecture: "arm", variant: null }, { platform: { os: "linux", architecture: "arm" } }],
    [{ os: "linux", architecture: "" }, {}],
    [{ architecture: "arm64" }, {}],
    [null, {}],
    ["linux/arm64", {}],
  ])("takes the platform %j of an entry where it names both parts", (platform, expected) => {
    const document = { manifests: [{ ...blob, platform }] };
    expect(parseIndexOrManifest(index, bytes(document))).toEqual({ manifests: [{ ...blob, ...expected }] });
  });

  test("has only annotations that are texts", () => {
    const document = { manifests: [{ ...blob, annotations: { a: "b", c: 1, d: ["e:f"] } }] };
    expect(parseIndexOrManifest(index, bytes(document))).toEqual({
      manifests: [{ ...blob, annotations: { a: "b" } }],
    });
  });

  test("has no layer's urls in what is read of it", () => {
    const foreign = { ...blob, urls: ["https://elsewhere.example/layer"] };
    const { layers } = parseIndexOrManifest(manifest, bytes({ config: blob, layers: [foreign] })) as {
      layers: readonly object[];
    };
    expect(layers).toEqual([blob]);
  });
});

describe("an image's config", () => {
  const least = { os: "linux", architecture: "amd64", rootfs: { diff_ids: [DIGEST] } };

  test("keeps what it says", () => {
    const config = { Env: ["A=1"], Cmd: null, User: "", Labels: { a: "b" } };
    expect(parseImageConfig(DIGEST, bytes({ ...least, config }))).toEqual({ ...least, config });
    for (const rootfs of [{}, null, undefined, { diff_ids: null }])
      expect(parseImageConfig(DIGEST, bytes({ ...least, rootfs })).rootfs.diff_ids).toEqual([]);
  });

  test.each([{}, { os: "", architecture: "" }, { os: null, architecture: null, variant: null }])(
    "may leave out its platform: %j",
    (platform) => {
      const { rootfs } = least;
      expect(parseImageConfig(DIGEST, bytes({ ...platform, rootfs }))).toEqual({ rootfs });
    },
  );

  test.each([
    ["diff_ids", { rootfs: { diff_ids: "x" } }],
    ["diff_ids", { rootfs: { diff_ids: ["x"] } }],
    ["os is 1", { os: 1 }],
    ["architecture is []", { architecture: [] }],
    ["variant is {}", { variant: {} }],
    ["config is not an object", { config: [] }],
    ["config.Env", { config: { Env: "A=1" } }],
    ["config.Env", { config: { Env: [1] } }],
    ["config.Cmd", { config: { Cmd: { 0: "sh" } } }],
    ["config.Entrypoint", { config: { Entrypoint: "sh" } }],
    ["config.User", { config: { User: 0 } }],
    ["config.WorkingDir", { config: { WorkingDir: ["/"] } }],
    ["config.StopSignal", { config: { StopSignal: 9 } }],
  ])("is refused: %s", (problem, change) => {
    expect(() => parseImageConfig(DIGEST, bytes({ ...least, ...change }))).toThrow(problem);
  });
});

describe("a container image", () => {
  const descriptor = (mediaType: string): Descriptor => ({ ...blob, mediaType });

  test.each<[boolean, string, string[]]>([
    [true, MEDIA_TYPES.config, [MEDIA_TYPES.layerGzip]],
    [true, MEDIA_TYPES.dockerConfig, [MEDIA_TYPES.dockerLayerGzip, "application/vnd.in-toto+json"]],
    [true, MEDIA_TYPES.config, []],
    [true, "application/octet-stream", [MEDIA_TYPES.dockerLayerGzip]],
    [false, MEDIA_TYPES.config, ["application/vnd.dev.cosign.simplesigning.v1+json"]],
    [false, MEDIA_TYPES.config, ["application/vnd.in-toto+json"]],
    [
      false,
      "application/vnd.cncf.helm.config.v1+json",
      ["application/vnd.cncf.helm.chart.content.v1.tar+gzip"],
    ],
    [false, "application/vnd.oci.empty.v1+json", []],
  ])("is told from an artifact: %s, with the config %s and layers %j", (expected, config, layers) => {
    const document = { config: descriptor(config), layers: layers.map(descriptor) };
    expect(isImageManifest(document)).toBe(expected);
  });
});

test("whatever a registry gives, it is read or refused in our words", () => {
  const value = fc.oneof(
    fc.jsonValue(),
    fc.record({ digest: fc.string(), size: fc.integer(), mediaType: fc.string() }),
  );
  const document = fc.dictionary(
    fc.constantFrom(
      "schemaVersion",
      "mediaType",
      "manifests",
      "config",
      "layers",
      "os",
      "architecture",
      "rootfs",
      "__proto__",
    ),
    fc.oneof(value, fc.array(value)),
  );
  fc.assert(
    fc.property(document, (given) => {
      for (const parse of [
        () => parseIndexOrManifest(manifest, bytes(given)),
        () => parseIndexOrManifest(index, bytes(given)),
        () => parseImageConfig(DIGEST, bytes(given)),
      ]) {
        try {
          parse();
        } catch (error) {
          expect(isContainerdError(error, "invalid-argument")).toBe(true);
        }
      }
    }),
    { numRuns: FUZZ_RUNS },
  );
});
