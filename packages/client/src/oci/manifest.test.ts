import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isContainerdError } from "../error.js";
import { isIndexDocument, MAX_DOCUMENT_BYTES, parseImageConfig, parseIndexOrManifest } from "./manifest.js";
import { MEDIA_TYPES } from "./media-type.js";

const digest = (letter: string): string => `sha256:${letter.repeat(64)}`;
const describeAs = (mediaType: string) => ({ mediaType, digest: digest("d"), size: 1 });
const CONFIG = { mediaType: MEDIA_TYPES.config, digest: digest("c"), size: 2 };
const LAYER = { mediaType: MEDIA_TYPES.layerGzip, digest: digest("a"), size: 3 };
const MANIFEST = { schemaVersion: 2, config: CONFIG, layers: [LAYER] };
const INDEX = {
  schemaVersion: 2,
  manifests: [{ ...describeAs(MEDIA_TYPES.manifest), platform: { os: "linux", architecture: "amd64" } }],
};
const bytes = (document: unknown): Uint8Array => Buffer.from(JSON.stringify(document));

const parse = (document: unknown, mediaType: string = MEDIA_TYPES.manifest) =>
  parseIndexOrManifest(describeAs(mediaType), bytes(document));

function refused(run: () => unknown, problem: string | RegExp): void {
  expect(run).toThrow(
    expect.objectContaining({
      name: "ContainerdError",
      kind: "invalid-argument",
      message: expect.stringMatching(problem),
    }),
  );
}

test("a manifest and an index, of OCI's and docker's media types", () => {
  for (const mediaType of [MEDIA_TYPES.manifest, MEDIA_TYPES.dockerManifest]) {
    for (const document of [MANIFEST, { ...MANIFEST, mediaType }]) {
      const parsed = parse(document, mediaType);
      expect(isIndexDocument(parsed)).toBe(false);
      expect(parsed).toEqual({ config: CONFIG, layers: [LAYER] });
    }
  }
  for (const mediaType of [MEDIA_TYPES.index, MEDIA_TYPES.dockerIndex]) {
    const parsed = parse({ ...INDEX, mediaType }, mediaType);
    expect(isIndexDocument(parsed)).toBe(true);
    expect(parsed).toEqual({ manifests: INDEX.manifests });
  }
});

test("bad input 19: where a foreign layer says it can be had is not even read", () => {
  const urls = ["https://elsewhere.example/layer", "file:///etc/shadow"];
  const parsed = parse({ ...MANIFEST, layers: [{ ...LAYER, urls }] });
  expect(JSON.stringify(parsed)).not.toContain("elsewhere");
  expect(parsed).toEqual({ config: CONFIG, layers: [LAYER] });
});

describe("bad input 17: a document that is refused", () => {
  test.each([
    ["manifests and layers", { ...INDEX, layers: [LAYER] }],
    ["manifests and config", { ...INDEX, config: CONFIG }],
    ["manifests, config and layers", { ...MANIFEST, ...INDEX }],
    ["an empty list of manifests beside a config", { ...MANIFEST, manifests: [] }],
    ["null as manifests beside a config", { ...MANIFEST, manifests: null }],
  ])("for being both an index and a manifest: %s", (_, document) => {
    for (const mediaType of [MEDIA_TYPES.manifest, MEDIA_TYPES.index, MEDIA_TYPES.dockerManifest]) {
      refused(() => parse(document, mediaType), "both an index and a manifest; allowed: one of them");
    }
  });

  test("for its size, however it is filled", () => {
    const least = bytes({ ...MANIFEST, annotations: { padding: "" } }).byteLength;
    const fill = (size: number) => ({ ...MANIFEST, annotations: { padding: "x".repeat(size - least) } });
    expect(parse(fill(MAX_DOCUMENT_BYTES))).toMatchObject({ config: CONFIG });
    refused(() => parse(fill(MAX_DOCUMENT_BYTES + 1)), `allowed: at most ${MAX_DOCUMENT_BYTES}`);
    const spaces = Buffer.alloc(MAX_DOCUMENT_BYTES + 1, " ");
    refused(() => parseIndexOrManifest(describeAs(MEDIA_TYPES.manifest), spaces), "bytes; allowed");
    refused(() => parseImageConfig(digest("c"), spaces), "bytes; allowed");
  });

  test("for being schema 1", () => {
    refused(() => parse({ schemaVersion: 1, fsLayers: [], history: [] }), "schema 1");
  });

  test.each([
    ["of another type than its descriptor's", { ...MANIFEST, mediaType: MEDIA_TYPES.index }, "says it is"],
    ["of a type that is no text", { ...MANIFEST, mediaType: 7 }, "says it is"],
    ["without layers", { schemaVersion: 2, config: CONFIG }, "no manifest"],
    ["with layers that are no list", { ...MANIFEST, layers: {} }, "no manifest"],
    ["without a config", { schemaVersion: 2, layers: [LAYER] }, "config is no descriptor"],
    ["with a config that is none", { ...MANIFEST, config: [] }, String.raw`config\.mediaType`],
    ["with null as a layer", { ...MANIFEST, layers: [null] }, String.raw`layers\[0\] is no descriptor`],
    ["with a size below 0", { ...MANIFEST, layers: [{ ...LAYER, size: -1 }] }, String.raw`layers\[0\]\.size`],
    ["with half a size", { ...MANIFEST, layers: [{ ...LAYER, size: 0.5 }] }, String.raw`layers\[0\]\.size`],
    [
      "with a size as text",
      { ...MANIFEST, layers: [{ ...LAYER, size: "3" }] },
      String.raw`layers\[0\]\.size`,
    ],
    [
      "with a size past 2^53",
      { ...MANIFEST, layers: [{ ...LAYER, size: 2 ** 60 }] },
      String.raw`layers\[0\]\.size`,
    ],
    [
      "with another digest",
      { ...MANIFEST, layers: [{ ...LAYER, digest: "md5:00" }] },
      String.raw`layers\[0\]\.digest`,
    ],
    ["that is a list", [MANIFEST], "no object"],
    ["that is null", null, "no object"],
    ["that is text", "x", "no object"],
  ])("%s", (_, document, problem) => {
    refused(() => parse(document), problem);
  });

  test("for being no JSON, or no UTF-8", () => {
    for (const text of ["{", "", "nul", "\ufeff", "{'a':1}"]) {
      refused(() => parseIndexOrManifest(describeAs(MEDIA_TYPES.manifest), Buffer.from(text)), "no JSON");
    }
    const torn = Buffer.from([...bytes({ ...MANIFEST, x: "" }).slice(0, -2), 0xff, 0x22, 0x7d]);
    refused(() => parseIndexOrManifest(describeAs(MEDIA_TYPES.manifest), torn), "no JSON");
  });

  test("for being an index without manifests", () => {
    refused(() => parse({ schemaVersion: 2 }, MEDIA_TYPES.index), "no index");
    refused(() => parse({ schemaVersion: 2, manifests: "x" }, MEDIA_TYPES.index), "no index");
  });
});

test("an image's config, and what is none", () => {
  const config = { os: "linux", architecture: "amd64", rootfs: { type: "layers", diff_ids: [digest("a")] } };
  expect(parseImageConfig(digest("c"), bytes(config))).toMatchObject({ rootfs: { diff_ids: [digest("a")] } });
  refused(() => parseImageConfig(digest("c"), bytes({ ...config, os: undefined })), "os and architecture");
  refused(() => parseImageConfig(digest("c"), bytes({ ...config, rootfs: { diff_ids: "x" } })), "diff_ids");
  refused(() => parseImageConfig(digest("c"), bytes({ ...config, rootfs: { diff_ids: ["x"] } })), "diff_ids");
});

test("whatever JSON is in it, it is read or refused in our own words, and no prototype is touched", () => {
  const key = fc.constantFrom(
    "manifests",
    "layers",
    "config",
    "mediaType",
    "schemaVersion",
    "rootfs",
    "__proto__",
  );
  const value = fc.oneof(fc.jsonValue(), fc.constantFrom(CONFIG, LAYER, [LAYER], INDEX.manifests));
  const kind = fc.constantFrom(...Object.values(MEDIA_TYPES));
  fc.assert(
    fc.property(fc.array(fc.tuple(key, value)), kind, (entries, mediaType) => {
      const body = entries.map(([name, each]) => `${JSON.stringify(name)}:${JSON.stringify(each)}`);
      const text = Buffer.from(`{${body.join(",")}}`);
      for (const run of [
        () => parseIndexOrManifest(describeAs(mediaType), text),
        () => parseImageConfig(digest("c"), text),
      ]) {
        try {
          run();
        } catch (reason) {
          expect(isContainerdError(reason, "invalid-argument")).toBe(true);
        }
      }
      expect(Object.keys(Object.prototype)).toEqual([]);
      expect(({} as Record<string, unknown>)["mediaType"]).toBeUndefined();
    }),
    { numRuns: 2_000 },
  );
});
