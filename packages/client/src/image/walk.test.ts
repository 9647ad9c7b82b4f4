import {
  addLadder,
  CONFIG,
  createDocuments,
  type Documents,
  LAYER,
  MANIFEST,
} from "@wfe-containerd/test-infra/images/documents";
import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import type { Descriptor } from "../oci/descriptor.js";
import { collectParts } from "../transfer/image-part.js";
import { blobsFor } from "./blobs.js";
import { storedPlatforms } from "./platforms.js";
import { resolveTarget } from "./resolve.js";
import { imageUsage } from "./usage.js";
import { IMAGE_LIMITS, type ImageNode, walkImage } from "./walk.js";

const HOST = { os: "linux", architecture: "amd64" };
const signal = new AbortController().signal;
const snapshots = { usage: async () => ({ sizeBytes: 1, inodes: 1 }) } as never;
let documents: Documents;

beforeEach(() => {
  documents = createDocuments();
});

async function nodesOf(target: Descriptor): Promise<ImageNode[]> {
  const nodes: ImageNode[] = [];
  for await (const node of walkImage(documents.content, target).nodes()) nodes.push(node);
  return nodes;
}

/** All functions that read an image's documents. */
const VISITORS: readonly (readonly [string, (target: Descriptor) => Promise<unknown>])[] = [
  ["a walk", nodesOf],
  ["resolve", (target) => resolveTarget(walkImage(documents.content, target), "x", HOST)],
  ["blobs", (target) => blobsFor(walkImage(documents.content, target), "x", "all")],
  ["platforms", (target) => storedPlatforms(documents.content, target, HOST)],
  ["push", (target) => collectParts(documents.content, { name: "x", target }, { signal })],
  [
    "push of a platform",
    (target) => collectParts(documents.content, { name: "x", target }, { platforms: [HOST], signal }),
  ],
  ["usage", (target) => imageUsage({ content: documents.content, snapshots }, { target } as never)],
];

describe("R3: every document is read once", () => {
  test.each(VISITORS)("by %s", async (_, visit) => {
    const image = documents.addImage(HOST);
    const target = addLadder(documents, image, { depth: 4, width: 30 });
    const size = [...documents.blobs.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
    expect(size).toBeGreaterThan(19_000);
    await visit(target);
    expect(new Set(documents.reads).size).toBe(documents.reads.length);
    // Four indexes and the manifest. Some functions also read the config.
    expect(documents.reads.length).toBeGreaterThanOrEqual(5);
    expect(documents.reads.length).toBeLessThanOrEqual(6);
  });

  test("also by several looks of one walk", async () => {
    const target = addLadder(documents, documents.addImage(HOST), { depth: 3, width: 3 });
    const walk = walkImage(documents.content, target);
    await resolveTarget(walk, "x", HOST);
    await blobsFor(walk, "x", "all");
    await blobsFor(walk, "x", [HOST, HOST]);
    expect(documents.reads).toHaveLength(5);
  });

  test("whatever lists whatever", async () => {
    const edges = fc.array(fc.array(fc.nat({ max: 3 }), { maxLength: 6 }), { minLength: 4, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(edges, async (lists) => {
        documents = createDocuments();
        const levels: Descriptor[][] = [[0, 1, 2, 3].map((at) => documents.addImage({ ...HOST, at }))];
        for (const list of lists) {
          const below = levels.at(-1) as Descriptor[];
          levels.push(
            [0, 1, 2, 3].map((at) => documents.addIndex(list.map((to) => below[(to + at) % 4] as object))),
          );
        }
        for (const target of levels.at(-1) as Descriptor[]) {
          documents.reads.length = 0;
          const nodes = await nodesOf(target);
          expect(new Set(nodes.map(({ descriptor }) => descriptor.digest)).size).toBe(nodes.length);
          expect(new Set(documents.reads).size).toBe(documents.reads.length);
        }
      }),
      { numRuns: 30 },
    );
  });
});

describe("what is larger than an image may be is refused in words", () => {
  const many = (count: number): Descriptor[] =>
    Array.from({ length: count }, (_, at) => ({
      mediaType: MANIFEST,
      digest: `sha256:${String(at).padStart(64, "0")}`,
      size: 1,
    }));

  test.each(VISITORS.slice(0, -1))("by %s: one more index than may lie above an image", async (_, visit) => {
    const target = addLadder(documents, documents.addImage(HOST), { depth: 5, width: 2 });
    await expect(visit(target)).rejects.toMatchObject({
      name: "ContainerdError",
      kind: "invalid-argument",
      message: expect.stringMatching(/nests its indexes too deeply.*allowed: up to 4 levels/),
    });
  });

  test("has more documents", async () => {
    const target = documents.addIndex(many(IMAGE_LIMITS.documents));
    await expect(nodesOf(target)).rejects.toMatchObject({
      kind: "invalid-argument",
      message: expect.stringContaining("more than 1000 documents; allowed: up to 1000"),
    });
    expect(documents.reads).toHaveLength(IMAGE_LIMITS.documents);
  });

  test("has more entries: it is not read further", async () => {
    const [image] = [documents.addImage(HOST)];
    const target = documents.addIndex([image as object, ...many(IMAGE_LIMITS.entries)]);
    for (const [, visit] of VISITORS.slice(0, -1)) {
      documents.reads.length = 0;
      await expect(visit(target)).rejects.toThrow("more than 10000 entries");
      expect(documents.reads).toEqual([target.digest]);
    }
  });

  test("has more layers, or more diff IDs", async () => {
    const blob = { mediaType: LAYER, size: 1 };
    const layers = many(IMAGE_LIMITS.entries).map((each) => ({ ...each, ...blob }));
    const config = documents.add({ ...HOST, rootfs: { diff_ids: [] } }, CONFIG);
    const wide = documents.add({ config, layers }, MANIFEST);
    await expect(resolveTarget(walkImage(documents.content, wide), "x", HOST)).rejects.toThrow("entries");
    const rootfs = { diff_ids: layers.map(({ digest }) => digest) };
    const long = documents.add({ config: documents.add({ ...HOST, rootfs }, CONFIG), layers: [] }, MANIFEST);
    await expect(resolveTarget(walkImage(documents.content, long), "x", HOST)).rejects.toThrow("entries");
  });

  test("has more bytes", async () => {
    const padding = "x".repeat(4 * 1024 ** 2 - 1_000);
    const manifests = Array.from({ length: 17 }, (_, at) =>
      documents.add({ manifests: [], padding, at }, "application/vnd.oci.image.index.v1+json"),
    );
    await expect(nodesOf(documents.addIndex(manifests))).rejects.toThrow("bytes of documents");
  });

  test("lists one entry ten thousand times, and that is one", async () => {
    const image = documents.addImage(HOST);
    const target = documents.addIndex(Array.from({ length: 10_000 }, () => image));
    await resolveTarget(walkImage(documents.content, target), "x", HOST);
    expect(documents.reads).toHaveLength(3);
    expect(await nodesOf(target)).toHaveLength(2);
  });
});

describe("odd documents", () => {
  test("are told apart, and not read where nobody could", async () => {
    const text = documents.add(Buffer.from("text"), "text/plain");
    const schema1 = documents.add(
      { schemaVersion: 1 },
      "application/vnd.docker.distribution.manifest.v1+json",
    );
    const broken = documents.add(Buffer.from("{"), MANIFEST);
    const both = documents.add({ manifests: [], layers: [], config: {} }, MANIFEST);
    const gone = documents.addImage({ ...HOST, gone: true });
    documents.remove(gone);
    const entries = [text, schema1, broken, both, gone, { digest: text.digest, size: 4 }];
    const nodes = await nodesOf(documents.addIndex(entries));
    expect(nodes.map(({ kind }) => kind)).toEqual([
      "index",
      "other",
      "other",
      "broken",
      "broken",
      "missing",
      "other",
    ]);
    expect(documents.reads).not.toContain(text.digest);
    expect(documents.reads).not.toContain(schema1.digest);
  });

  test("that list themselves are read once: no honest store has one, and ours may be another's", async () => {
    const digest = `sha256:${"5".repeat(64)}`;
    const index = { mediaType: "application/vnd.oci.image.index.v1+json", digest, size: 1 };
    const bytes = Buffer.from(JSON.stringify({ manifests: [index, index] }));
    let reads = 0;
    const readAll = async (): Promise<Uint8Array> => {
      reads++;
      return bytes;
    };
    const walk = walkImage({ ...documents.content, readAll }, index);
    for await (const { kind } of walk.nodes()) expect(kind).toBe("index");
    await expect(resolveTarget(walk, "x", HOST)).rejects.toMatchObject({ kind: expect.any(String) });
    expect(reads).toBe(1);
  });

  test("of one digest under two types are read once, and taken for each", async () => {
    const image = documents.addImage(HOST);
    const docker = { ...image, mediaType: "application/vnd.docker.distribution.manifest.v2+json" };
    const nodes = await nodesOf(documents.addIndex([image, docker]));
    expect(nodes.map(({ kind }) => kind)).toEqual(["index", "manifest", "manifest"]);
    expect(documents.reads).toHaveLength(2);
  });

  test("leave what is wrong with the store, and not with a document, alone", async () => {
    const away = new Error("the daemon is away");
    const readAll = (): Promise<never> => Promise.reject(away);
    const walk = walkImage({ ...documents.content, readAll }, documents.addImage(HOST));
    await expect(resolveTarget(walk, "x", HOST)).rejects.toBe(away);
    await expect(walk.nodes().next()).rejects.toBe(away);
  });
});

test("R3: usage counts what it may look at, and says where it stopped", async () => {
  const target = addLadder(documents, documents.addImage(HOST), { depth: 5, width: 2 });
  const usage = await imageUsage({ content: documents.content, snapshots }, { target } as never);
  expect(usage.contentBytes).toBeGreaterThan(0);
  expect(usage.problems).toEqual([expect.stringContaining("nests its indexes too deeply")]);
});
