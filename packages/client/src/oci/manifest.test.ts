import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isContainerdError } from "../error.js";
import type { Descriptor } from "./descriptor.js";
import { MAX_DOCUMENT_BYTES, parseImageConfig, parseIndexOrManifest } from "./manifest.js";
import { MEDIA_TYPES } from "./media-type.js";

const DIGEST = `sha256:${"a".repeat(64)}`;
const blob = { mediaType: "application/x", digest: DIGEST, size: 3 };
const manifest: Descriptor = { mediaType: MEDIA_TYPES.manifest, digest: DIGEST, size: 1 };
const index: Descriptor = { mediaType: MEDIA_TYPES.index, digest: DIGEST, size: 1 };
const bytes = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));

describe("a manifest or an index", () => {
  it("is what its descriptor says", () => {
    expect(parseIndexOrManifest(manifest, bytes({ config: blob, layers: [blob] }))).toEqual({
      config: blob,
      layers: [blob],
    });
    expect(parseIndexOrManifest(index, bytes({ manifests: [blob] }))).toEqual({ manifests: [blob] });
  });

  it.each<[string, Descriptor, unknown]>([
    ["both an index and a manifest", manifest, { manifests: [], config: blob, layers: [] }],
    ["both an index and a manifest", index, { manifests: [], layers: [] }],
    ["schema 1", manifest, { schemaVersion: 1, fsLayers: [] }],
    ["its descriptor says", manifest, { mediaType: MEDIA_TYPES.index, config: blob, layers: [] }],
    ["no index", index, { config: blob }],
    ["no manifest", manifest, { config: blob }],
    ["no manifest", manifest, { config: blob, layers: {} }],
    ["config", manifest, { layers: [] }],
    ["layers[0].digest", manifest, { config: blob, layers: [{ ...blob, digest: "md5:a" }] }],
    ["layers[0].size", manifest, { config: blob, layers: [{ ...blob, size: -1 }] }],
    ["layers[0].size", manifest, { config: blob, layers: [{ ...blob, size: 2 ** 60 }] }],
    ["layers[0].size", manifest, { config: blob, layers: [{ ...blob, size: "3" }] }],
    ["manifests[1]", index, { manifests: [blob, null] }],
    ["no object", manifest, []],
    ["no object", manifest, null],
  ])("is refused: %s", (problem, descriptor, document) => {
    expect(() => parseIndexOrManifest(descriptor, bytes(document))).toThrow(problem);
  });

  it("is refused when it is too large, no JSON, or no UTF-8", () => {
    expect(() => parseIndexOrManifest(manifest, new Uint8Array(MAX_DOCUMENT_BYTES + 1))).toThrow("at most");
    expect(() => parseIndexOrManifest(manifest, Buffer.from("{"))).toThrow("no JSON");
    expect(() => parseIndexOrManifest(manifest, Buffer.from([0x22, 0xff, 0x22]))).toThrow("no JSON");
  });

  it("has no layer's urls in what is read of it", () => {
    const foreign = { ...blob, urls: ["https://elsewhere.example/layer"] };
    const { layers } = parseIndexOrManifest(manifest, bytes({ config: blob, layers: [foreign] })) as {
      layers: readonly object[];
    };
    expect(layers).toEqual([blob]);
  });
});

describe("an image's config", () => {
  const least = { os: "linux", architecture: "amd64", rootfs: { diff_ids: [DIGEST] } };

  it("keeps what it says", () => {
    const config = { Env: ["A=1"], Cmd: null, User: "", Labels: { a: "b" } };
    expect(parseImageConfig(DIGEST, bytes({ ...least, config }))).toEqual({ ...least, config });
    expect(parseImageConfig(DIGEST, bytes({ ...least, rootfs: {} })).rootfs.diff_ids).toEqual([]);
  });

  it.each([
    ["diff_ids", { rootfs: { diff_ids: "x" } }],
    ["diff_ids", { rootfs: { diff_ids: ["x"] } }],
    ["os and architecture", { os: 1 }],
    ["config is no object", { config: [] }],
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

it("whatever a registry gives, it is read or refused in our words", () => {
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
    { numRuns: 3_000 },
  );
});
