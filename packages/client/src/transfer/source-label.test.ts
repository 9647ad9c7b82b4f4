import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { childLabels } from "../image/child-labels.js";
import { MEDIA_TYPES } from "../oci/media-type.js";
import { addSource, ingestRef, sourceKey } from "./source-label.js";

const descriptor = (mediaType: string, digest: string) => ({ mediaType, digest, size: 1 });

describe("childLabels", () => {
  test("counts layers, and names the config", () => {
    const { config, layerGzip, layerZstd } = MEDIA_TYPES;
    expect(
      childLabels({
        config: descriptor(config, "c"),
        layers: [descriptor(layerGzip, "a"), descriptor(layerZstd, "b")],
      }),
    ).toEqual({
      "containerd.io/gc.ref.content.config": "c",
      "containerd.io/gc.ref.content.l.0": "a",
      "containerd.io/gc.ref.content.l.1": "b",
    });
  });

  test("counts manifests, and what it does not know on its own", () => {
    const { manifest, index } = MEDIA_TYPES;
    expect(
      childLabels({
        manifests: [descriptor(manifest, "a"), descriptor(index, "b"), descriptor(manifest, "c")],
      }),
    ).toEqual({
      "containerd.io/gc.ref.content.m.0": "a",
      "containerd.io/gc.ref.content.0": "b",
      "containerd.io/gc.ref.content.m.1": "c",
    });
  });
});

describe("ingestRef", () => {
  test.each([
    [MEDIA_TYPES.dockerManifest, "manifest-d"],
    [MEDIA_TYPES.index, "index-d"],
    [MEDIA_TYPES.dockerLayerGzip, "layer-d"],
    [MEDIA_TYPES.config, "config-d"],
    ["application/octet-stream", "unknown-d"],
  ])("names %s", (mediaType, ref) => {
    expect(ingestRef(descriptor(mediaType, "d"))).toBe(ref);
  });
});

describe("sources", () => {
  test("leaves out the port, as containerd does", () => {
    expect(sourceKey({ domain: "localhost:5000", path: "a" })).toBe(
      "containerd.io/distribution.source.localhost",
    );
  });

  test("adds a repository once, in order", () => {
    expect(addSource("k", undefined, "b")).toBe("b");
    expect(addSource("k", "b,c", "a")).toBe("a,b,c");
    expect(addSource("k", "a,b", "a")).toBe("a,b");
  });

  test("stays a label that containerd takes", () => {
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[a-z]{1,200}$/), { maxLength: 60 }), (repositories) => {
        const value =
          repositories.reduce<string | undefined>((sum, each) => addSource("key", sum, each), undefined) ??
          "";
        expect("key".length + value.length).toBeLessThanOrEqual(4096);
        const kept = value.split(",");
        expect(kept).toEqual([...new Set(kept)].toSorted());
      }),
    );
  });
});
