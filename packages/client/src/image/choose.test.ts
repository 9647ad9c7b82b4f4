import {
  CONFIG,
  createDocuments,
  type Documents,
  LAYER,
  MANIFEST,
} from "@wfe-containerd/test-infra/images/documents";
import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import type { Descriptor } from "../oci/descriptor.js";
import { formatPlatform, parsePlatform, rankPlatform } from "../oci/platform.js";
import { collectParts } from "../transfer/image-part.js";
import { chooseManifest } from "./choose.js";
import { storedPlatforms } from "./platforms.js";
import { walkImage } from "./walk.js";

const AMD64 = parsePlatform("linux/amd64");
const signal = new AbortController().signal;
let documents: Documents;

beforeEach(() => {
  documents = createDocuments();
});

/** An image with its platform in the config. Write the platform as `linux/arm/v7`. */
function image(platform: string, more: object = {}): Descriptor {
  const [os, architecture, variant] = platform.split("/");
  return documents.addImage({ os, architecture, variant, ...more });
}

/** As {@link image}, with the platform also in the index. */
function named(platform: string, more?: object): Descriptor {
  return { ...image(platform, more), platform: parsePlatform(platform) };
}

const choose = (target: Descriptor, host: string) =>
  chooseManifest(walkImage(documents.content, target), parsePlatform(host), "x");

describe("R18: of an index is chosen", () => {
  test.each<[string, string[], string | undefined]>([
    ["linux/amd64", ["linux/arm64", "linux/amd64"], "linux/amd64"],
    ["linux/amd64", ["linux/386", "linux/amd64"], "linux/amd64"],
    ["linux/amd64", ["linux/386", "linux/arm64"], "linux/386"],
    ["linux/amd64/v3", ["linux/amd64", "linux/amd64/v2", "linux/amd64/v4"], "linux/amd64/v2"],
    ["linux/arm/v7", ["linux/arm/v5", "linux/arm/v6", "linux/arm64"], "linux/arm/v6"],
    ["linux/arm/v7", ["linux/arm/v6", "linux/arm/v7"], "linux/arm/v7"],
    ["linux/arm/v6", ["linux/arm/v7", "linux/arm/v5"], "linux/arm/v5"],
    ["linux/arm64", ["linux/arm/v7", "linux/arm64/v8"], "linux/arm64/v8"],
    ["linux/arm64", ["linux/arm/v6", "linux/arm/v7"], "linux/arm/v7"],
    ["linux/arm64", ["linux/amd64", "windows/arm64"], undefined],
    ["linux/arm/v6", ["linux/arm/v7"], undefined],
  ])(
    "for %s of %j: %s, whether the index or the configs say it, and nested or not",
    async (host, all, expected) => {
      const shapes = [
        documents.addIndex(all.map((each) => named(each))),
        documents.addIndex(all.map((each) => image(each))),
        documents.addIndex([documents.addIndex(all.map((each) => named(each)))]),
        documents.addIndex(all.map((each) => documents.addIndex([image(each)]))),
        documents.addIndex([
          documents.addIndex(all.slice(0, 1).map((each) => image(each))),
          ...all.slice(1).map((each) => named(each)),
        ]),
      ];
      for (const target of shapes) {
        if (expected === undefined) {
          await expect(choose(target, host)).rejects.toMatchObject({
            kind: "not-found",
            message: expect.stringContaining(`image x is not for ${host}; it is for: `),
          });
        } else {
          expect((await choose(target, host)).descriptor.digest).toBe(image(expected).digest);
        }
      }
    },
  );

  test("the same for a push, and it is among the platforms", async () => {
    const platforms = ["linux/arm/v5", "linux/arm/v6", "linux/s390x"];
    for (const target of [
      documents.addIndex(platforms.map((each) => named(each))),
      documents.addIndex([documents.addIndex(platforms.map((each) => image(each)))]),
    ]) {
      const asked = [parsePlatform("linux/arm/v7")];
      const pushed = await collectParts(
        documents.content,
        { name: "x", target },
        { platforms: asked, signal },
      );
      expect(pushed.target.digest).toBe(image("linux/arm/v6").digest);
      const found = await storedPlatforms(documents.content, target, AMD64);
      expect(found.map(formatPlatform)).toEqual(platforms);
      await expect(
        collectParts(documents.content, { name: "x", target }, { platforms: [AMD64], signal }),
      ).rejects.toMatchObject({ kind: "not-found", message: expect.stringContaining("linux/s390x") });
      await expect(
        collectParts(documents.content, { name: "x", target }, { platforms: [], signal }),
      ).rejects.toThrow("platforms: is empty");
    }
  });

  test("several for a push, in an index that lists them alone, in its order", async () => {
    const [arm, s390, amd] = ["linux/arm64", "linux/s390x", "linux/amd64"].map((each) => named(each));
    const target = documents.addIndex([arm as object, s390 as object, amd as object]);
    const platforms = ["linux/amd64", "linux/arm64"].map(parsePlatform);
    const { parts } = await collectParts(documents.content, { name: "x", target }, { platforms, signal });
    const index = JSON.parse(Buffer.from(parts.at(-1)?.bytes ?? []).toString());
    expect(index.manifests).toEqual([arm, amd]);
    expect(parts).toHaveLength(3);
  });

  test("the word of the index, whatever the config says", async () => {
    const target = documents.addIndex([{ ...image("linux/arm64"), platform: AMD64 }]);
    const chosen = await choose(target, "linux/amd64");
    expect(chosen.platform).toEqual(AMD64);
    await expect(choose(target, "linux/arm64")).rejects.toThrow("it is for: linux/amd64");
  });

  test("one manifest under two platforms, for both", async () => {
    const one = image("linux/arm/v6");
    const target = documents.addIndex(
      ["linux/arm/v6", "linux/arm/v7"].map((each) => ({ ...one, platform: parsePlatform(each) })),
    );
    for (const host of ["linux/arm/v6", "linux/arm/v7"]) {
      const chosen = await choose(target, host);
      expect([chosen.descriptor.digest, formatPlatform(chosen.platform)]).toEqual([one.digest, host]);
    }
    const found = await storedPlatforms(documents.content, target, AMD64);
    expect(found.map(formatPlatform)).toEqual(["linux/arm/v6", "linux/arm/v7"]);
  });

  test("what is in the content store, where the best is not", async () => {
    const best = named("linux/amd64");
    const target = documents.addIndex([best, named("linux/386")]);
    documents.remove(best);
    expect((await choose(target, "linux/amd64")).platform).toEqual(parsePlatform("linux/386"));
    documents.remove(named("linux/386"));
    await choose(documents.addIndex([best]), "linux/amd64").catch(() => undefined);
    documents.remove(best);
    await expect(choose(documents.addIndex([best]), "linux/amd64")).rejects.toMatchObject({
      kind: "not-found",
      message: expect.stringContaining("image x is incomplete for linux/amd64"),
    });
  });

  test("no worse one is read where the index names the best", async () => {
    const target = documents.addIndex([image("linux/arm64"), documents.addIndex([]), named("linux/amd64")]);
    await choose(target, "linux/amd64");
    expect(documents.reads).toHaveLength(3);
  });

  const some = ["linux/amd64", "linux/386", "linux/arm/v6", "linux/arm/v7", "linux/arm64", "linux/amd64/v3"];
  test("the best of all that is listed, in whatever shape", async () => {
    const entry = fc.record({
      platform: fc.constantFrom(...some),
      isNamed: fc.boolean(),
      depth: fc.nat({ max: 3 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(entry, { maxLength: 6 }), fc.constantFrom(...some), async (entries, host) => {
        documents = createDocuments();
        const listed = entries.map(({ platform, isNamed, depth }, at) => {
          let each = isNamed ? named(platform, { at }) : image(platform, { at });
          for (let level = 0; level < depth; level++) each = documents.addIndex([each]);
          return each;
        });
        const ranks = entries.flatMap(
          ({ platform }) => rankPlatform(parsePlatform(host), parsePlatform(platform)) ?? [],
        );
        const chosen = await choose(documents.addIndex(listed), host).catch(() => undefined);
        const rank = chosen && rankPlatform(parsePlatform(host), chosen.platform);
        expect(rank).toBe(ranks.length === 0 ? undefined : Math.min(...ranks));
      }),
      { numRuns: 200 },
    );
  });
});

describe("R9: entries that are not images", () => {
  const artifact = (): Descriptor =>
    documents.add(
      {
        config: documents.add({}, "application/vnd.oci.empty.v1+json"),
        layers: [documents.add(Buffer.from("chart"), "application/vnd.cncf.helm.chart.content.v1.tar+gzip")],
      },
      MANIFEST,
    );
  const attestation = (platform?: string): Descriptor => ({
    ...documents.add(
      {
        config: documents.add({ os: "unknown", architecture: "unknown", rootfs: { diff_ids: [] } }, CONFIG),
        layers: [documents.add(Buffer.from("{}"), "application/vnd.in-toto+json")],
      },
      MANIFEST,
    ),
    ...(platform !== undefined && { platform: parsePlatform(platform) }),
  });
  const odd = (): Descriptor[] => [
    artifact(),
    { ...artifact(), platform: AMD64 },
    attestation(),
    attestation("unknown/unknown"),
    documents.add(Buffer.from("text"), "text/plain"),
    documents.add(Buffer.from("text"), "text/plain", { platform: AMD64 }),
    documents.add({ schemaVersion: 1 }, "application/vnd.docker.distribution.manifest.v1+prettyjws"),
    documents.add(Buffer.from("{"), MANIFEST),
    documents.add({ config: documents.add(Buffer.from("no json"), CONFIG), layers: [] }, MANIFEST),
  ];

  test.each(Array.from({ length: 9 }, (_, at) => at))(
    "are passed over, before and behind the image (%d)",
    async (at) => {
      for (const own of [
        image("linux/amd64"),
        named("linux/amd64"),
        documents.addIndex([image("linux/amd64")]),
      ]) {
        for (const entries of [
          [odd()[at], own],
          [own, odd()[at]],
        ]) {
          const target = documents.addIndex(entries as object[]);
          expect((await choose(target, "linux/amd64")).descriptor.digest).toBe(image("linux/amd64").digest);
          const found = await storedPlatforms(documents.content, target, AMD64);
          expect(found.map(formatPlatform)).toEqual(["linux/amd64"]);
        }
      }
    },
  );

  test("are not among the platforms that an error names", async () => {
    const target = documents.addIndex([...odd(), named("linux/arm64")]);
    await expect(choose(target, "linux/amd64")).rejects.toThrow(/it is for: linux\/arm64$/);
  });

  test("alone are not an image, and the error says what they are", async () => {
    await expect(choose(documents.addIndex([artifact()]), "linux/amd64")).rejects.toMatchObject({
      kind: "not-found",
      message: expect.stringContaining("is an artifact, not a container image"),
    });
    await expect(choose(documents.addIndex([]), "linux/amd64")).rejects.toMatchObject({
      kind: "not-found",
      message: expect.stringContaining("its index is empty"),
    });
    for (const [at, problem] of [
      [0, "is an artifact, not a container image"],
      [4, 'its media type is "text/plain"'],
      [6, "retired schema 1"],
      [7, "not JSON"],
      [8, "not JSON"],
    ] as const) {
      await expect(choose(odd()[at] as Descriptor, "linux/amd64")).rejects.toMatchObject({
        kind: "invalid-argument",
        message: expect.stringMatching(new RegExp(`^image x: .*${problem}`)),
      });
    }
  });

  test("that say they are for this platform, and are broken, are no reason to run another one", async () => {
    const broken = documents.add(Buffer.from("{"), MANIFEST, { platform: AMD64 });
    const target = documents.addIndex([broken, named("linux/386")]);
    await expect(choose(target, "linux/amd64")).rejects.toThrow("not JSON");
  });
});

describe("R10: an image that does not name its platform", () => {
  test.each([{}, { os: "", architecture: "" }, { os: "linux" }, { architecture: "arm64" }, { os: null }])(
    "is taken for the host's: %j",
    async (config) => {
      const target = documents.addImage(config);
      const host = parsePlatform("linux/arm64");
      expect((await choose(target, "linux/arm64")).platform).toEqual(host);
      const found = await storedPlatforms(documents.content, target, host);
      expect(found.map(formatPlatform)).toEqual(["linux/arm64"]);
    },
  );

  test("has the host's variant only with the host's architecture", async () => {
    expect((await choose(documents.addImage({}), "linux/arm/v6")).platform).toEqual(
      parsePlatform("linux/arm/v6"),
    );
    const { platform } = await choose(
      documents.addImage({ architecture: "arm", variant: "v5" }),
      "linux/arm/v6",
    );
    expect(platform).toEqual(parsePlatform("linux/arm/v5"));
  });

  test("is not for the host where what it names is another's", async () => {
    await expect(choose(documents.addImage({ architecture: "s390x" }), "linux/amd64")).rejects.toThrow(
      "linux/s390x",
    );
    await expect(choose(documents.addImage({ os: "windows" }), "linux/amd64")).rejects.toThrow(
      "windows/amd64",
    );
  });

  test("comes behind those that do", async () => {
    const target = documents.addIndex([documents.addImage({}), image("linux/386")]);
    expect((await choose(target, "linux/amd64")).platform).toEqual(parsePlatform("linux/386"));
  });
});

test("R13: an image without layers is one", async () => {
  const config = documents.add({ ...AMD64, rootfs: { diff_ids: null } }, CONFIG);
  for (const layers of [null, undefined, []]) {
    const chosen = await choose(documents.add({ config, layers }, MANIFEST), "linux/amd64");
    expect(chosen.document.layers).toEqual([]);
  }
});

test("a layer that is listed twice is listed twice", async () => {
  const layer = documents.add(Buffer.from("layer"), LAYER);
  const rootfs = { diff_ids: [layer.digest, layer.digest] };
  const config = documents.add({ ...AMD64, rootfs }, CONFIG);
  const chosen = await choose(documents.add({ config, layers: [layer, layer] }, MANIFEST), "linux/amd64");
  expect(chosen.document.layers).toEqual([layer, layer]);
});
