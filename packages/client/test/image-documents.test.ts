import type { Image } from "@wfe-containerd/client";
import { once, takeInventory, useDaemon } from "@wfe-containerd/test-infra/daemon";
import { ctr } from "@wfe-containerd/test-infra/daemon/ctr";
import { buildImage, toBlob } from "@wfe-containerd/test-infra/images";
import {
  addLadder,
  CONFIG,
  createDocuments,
  type Documents,
  MANIFEST,
} from "@wfe-containerd/test-infra/images/documents";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { all, tarOf } from "./archive.js";

const at = useDaemon({ image: false });
const NAME = "docker.io/library/odd:1";
const NAMED = { "io.containerd.image.name": NAME };
let documents: Documents;
let before: Awaited<ReturnType<typeof everything>>;

const everything = () => takeInventory({ daemon: at.daemon, client: at.client, images: true });

beforeEach(async () => {
  documents = createDocuments();
  before = await everything();
});
afterEach(async () => {
  for (const { name } of await at.client.images.list()) await ctr(at, "image", "rm", "--sync", name);
  await at.client.leases.collectGarbage();
  expect(await everything()).toEqual(before);
});

/** Adds a small image, whose layer can be unpacked. */
async function addSmall(change: (config: Record<string, unknown>) => object = (config) => config) {
  const { config, layers } = await buildImage({ layers: [[{ path: "a", contents: "x" }]] });
  const [layer] = layers.map(({ bytes }) =>
    documents.add(bytes, "application/vnd.oci.image.layer.v1.tar+gzip"),
  );
  const changed = documents.add(change(JSON.parse(Buffer.from(config.bytes).toString())), CONFIG);
  return documents.add({ schemaVersion: 2, config: changed, layers: [layer] }, MANIFEST);
}

const import_ = async (entries: Parameters<Documents["archive"]>[0], options?: object): Promise<Image[]> =>
  at.client.images.import(once(await documents.archive(entries)), options);

/** Does everything with an image that users do. */
async function useImage(name: string): Promise<void> {
  const { images } = at.client;
  const resolved = await images.resolve(name);
  expect(await images.isUnpacked(resolved)).toBe(true);
  const found = await images.pull(name, { policy: "never" });
  expect(found.manifest.digest).toBe(resolved.manifest.digest);
  expect(found.name).toBe((await images.get(name)).name);
  expect((await images.usage(name)).problems).toEqual([]);
  expect((await images.platforms(name)).length).toBeGreaterThan(0);
  expect((await all(images.export(name))).length).toBeGreaterThan(0);
  expect((await images.tag(name, "second:1")).target.digest).toBe(resolved.target.digest);
  await images.remove("second:1");
}

test("R3: indexes that list the next one thirty times are imported, used and removed in no time", async () => {
  const target = addLadder(documents, await addSmall(), { depth: 4, width: 30 });
  await import_([[target, NAMED]]);
  await useImage(NAME);
  const { content } = at.client;
  const labels = (await content.info(target.digest)).labels;
  expect(Object.keys(labels).filter((key) => key.startsWith("containerd.io/gc.ref.content"))).toHaveLength(
    30,
  );
});

test("R3: one index more is refused, and leaves nothing", async () => {
  const target = addLadder(documents, await addSmall(), { depth: 5, width: 30 });
  await expect(import_([[target, NAMED]])).rejects.toMatchObject({
    kind: "invalid-argument",
    message: expect.stringContaining("nests its indexes too deeply"),
  });
});

describe("R4: an odd image", () => {
  test.each<[string, (documents: Documents) => { mediaType: string; digest: string; size: number }, RegExp]>([
    ["a text", (odd) => odd.add(Buffer.from("text"), "text/plain"), /media type is "text\/plain"/],
    [
      "of schema 1",
      (odd) => odd.add({ schemaVersion: 1 }, "application/vnd.docker.distribution.manifest.v1+prettyjws"),
      /retired schema 1/,
    ],
    [
      "with a record of another media type",
      (odd) => ({ ...odd.addIndex([]), mediaType: MANIFEST }),
      /has the media type .*image\.index.*, but its descriptor says/,
    ],
    [
      "with a record of another size",
      (odd) => ({ ...odd.addImage({ os: "linux", architecture: "amd64" }, { layers: [] }), size: 2 ** 60 }),
      /the image's record says 1152921504606847000/,
    ],
    [
      "with a size beyond 2^53",
      (odd) => odd.addIndex([{ ...odd.addImage({}, { layers: [] }), size: 2 ** 60 }]),
      /manifests\[0\]\.size is 1152921504606847000/,
    ],
    [
      "that is an artifact",
      (odd) => odd.addImage({}, { layers: [], configType: "application/vnd.cncf.helm.config.v1+json" }),
      /is an artifact/,
    ],
    ["whose content is gone", () => ({ ...toBlob({}), mediaType: MANIFEST, size: 2 }), /not found/],
  ])("%s is listed, says what it is, and can be removed", async (_, make, problem) => {
    const { client } = at;
    const target = make(documents);
    for (const [digest, bytes] of documents.blobs)
      await client.content.write({ ref: digest, digest, size: bytes.byteLength }, once(bytes));
    await client.images.put(NAME, target);
    const { problems, contentBytes } = await client.images.usage(NAME);
    expect(problems.join("; ")).toMatch(problem);
    expect(contentBytes).toBeGreaterThanOrEqual(0);
    await client.images.platforms(NAME);
    await client.images.remove(NAME, { sync: true });
  });

  test("that cannot be run says which image, and why", async () => {
    const target = documents.add(Buffer.from("text"), "text/plain");
    await import_([[target, NAMED]]);
    for (const ask of [
      () => at.client.images.resolve(NAME),
      () => at.client.images.pull(NAME, { policy: "if-not-present" }),
    ]) {
      await expect(ask()).rejects.toMatchObject({
        kind: "invalid-argument",
        message: expect.stringContaining(`image ${NAME}: ${target.digest} is not a container image`),
      });
    }
  });
});

describe("R9: entries of unknown type", () => {
  const odd = (): object[] => [
    documents.add(Buffer.from("text"), "text/plain"),
    documents.addImage({}, { layers: [], configType: "application/vnd.cncf.helm.config.v1+json" }),
    {
      ...documents.add({}, "application/vnd.example.unknown"),
      platform: { os: "unknown", architecture: "unknown" },
    },
    { digest: documents.add(Buffer.from("untyped"), "x").digest, size: 7 },
  ];

  test.each(["before", "behind"])(
    "%s the image in its index are kept, and the image is used",
    async (where) => {
      const image = await addSmall();
      const target = documents.addIndex(where === "before" ? [...odd(), image] : [image, ...odd()]);
      await import_([[target, NAMED]]);
      await useImage(NAME);
      // None of the documents was collected, and all of them are exported.
      await at.client.leases.collectGarbage();
      for (const digest of documents.blobs.keys()) await at.client.content.info(digest);
      const archive = Buffer.concat(await all(at.client.images.export(NAME)));
      await at.client.images.remove(NAME, { sync: true });
      await at.client.images.import(once(archive));
      for (const digest of documents.blobs.keys()) await at.client.content.info(digest);
    },
  );

  test.each(["before", "behind"])("%s the image in its archive do not stand in its way", async (where) => {
    const image = [await addSmall(), NAMED] as const;
    const [text, artifact] = odd() as [never, never];
    const others = [text, [artifact, { "io.containerd.image.name": "example.com/chart:1" }] as const];
    const images = await import_(where === "before" ? [...others, image] : [image, ...others]);
    expect(images.map(({ name }) => name).toSorted()).toEqual([NAME, "example.com/chart:1"]);
    await useImage(NAME);
    const named = await import_(where === "before" ? [...others, image] : [image, ...others], {
      name: "own:1",
    });
    expect(named).toMatchObject([{ name: "docker.io/library/own:1" }]);
  });
});

test.each([{}, { architecture: undefined }, { os: undefined }, { os: "", architecture: "" }])(
  "R10: a config that has no platform, or half of one, is the host's: %j",
  async (change) => {
    const none = { os: undefined, architecture: undefined };
    const target = await addSmall((config) => ({
      ...config,
      ...(Object.keys(change).length ? change : none),
    }));
    await import_([[target, NAMED]]);
    await useImage(NAME);
    const host = await at.client.introspection.daemonPlatform();
    expect((await at.client.images.resolve(NAME)).platform).toMatchObject(host);
  },
);

describe("R13: an image without layers", () => {
  test.each([null, undefined, []])("is imported, used and exported where its list is %s", async (layers) => {
    const host = await at.client.introspection.daemonPlatform();
    const config = documents.add({ ...host, rootfs: { type: "layers", diff_ids: null } }, CONFIG);
    const target = documents.add({ schemaVersion: 2, config, layers }, MANIFEST);
    await import_([[target, NAMED]]);
    await useImage(NAME);
  });

  test.each([null, undefined, []])("is imported from an archive of docker save: %s", async (Layers) => {
    const { config } = await buildImage({ layers: [] });
    const saved = [{ Config: "config.json", RepoTags: [NAME, "<none>:<none>"], Layers }];
    const archive = await tarOf([
      { name: "config.json", body: config.bytes },
      { name: "manifest.json", body: JSON.stringify(saved) },
    ]);
    expect(await at.client.images.import(once(archive))).toMatchObject([{ name: NAME }]);
    await useImage(NAME);
  });
});

describe("R16: an archive that lacks", () => {
  const foreign = (): { mediaType: string; digest: string; size: number } => {
    const image = documents.addImage({ os: "linux", architecture: "s390x" }, { layers: ["foreign"] });
    return { ...image, platform: { os: "linux", architecture: "s390x" } } as never;
  };

  test("the layers of another platform, or of an attestation, is imported", async () => {
    const attestation = documents.addImage(
      { os: "unknown", architecture: "unknown" },
      { layers: ["in-toto"] },
    );
    const target = documents.addIndex([
      foreign(),
      { ...attestation, platform: { os: "unknown", architecture: "unknown" } },
      await addSmall(),
    ]);
    for (const layer of ["foreign", "in-toto"]) documents.remove(toBlob(Buffer.from(layer)));
    await import_([[target, NAMED]]);
    await useImage(NAME);
    expect(await at.client.images.platforms(NAME)).toEqual([await at.client.introspection.daemonPlatform()]);
  });

  test("the config of the host's is refused, although there is another that the host would run", async () => {
    const host = await at.client.introspection.daemonPlatform();
    const worse = { os: "linux", architecture: host.architecture === "amd64" ? "386" : "arm" };
    const own = { ...(await addSmall()), platform: host };
    const other = { ...documents.addImage(worse, { layers: ["other"] }), platform: worse };
    const { config } = JSON.parse(Buffer.from(documents.blobs.get(own.digest) ?? []).toString());
    documents.remove(config);
    const index = documents.addIndex([own, other]);
    await expect(import_([[index, NAMED]])).rejects.toThrow(`refers to ${config.digest}`);
    // Without its manifest it is an archive of the other one alone.
    documents.remove(own);
    await import_([[index, NAMED]], { unpack: false });
    expect(await at.client.images.platforms(NAME)).toEqual([worse]);
  });

  test("the layers of the host's is refused, and so is one without any whole image", async () => {
    const own = await addSmall();
    const host = await at.client.introspection.daemonPlatform();
    const layer = JSON.parse(Buffer.from(documents.blobs.get(own.digest) ?? []).toString()).layers[0];
    documents.remove(layer);
    for (const entries of [[own, foreign()], [{ ...own, platform: host }, foreign()], [own]])
      await expect(import_([[documents.addIndex(entries), NAMED]])).rejects.toThrow(
        `refers to ${layer.digest}`,
      );
    const other = foreign();
    documents.remove(toBlob(Buffer.from("foreign")));
    await expect(import_([[documents.addIndex([other]), NAMED]])).rejects.toThrow("does not contain it");
    const index = documents.addIndex([other]);
    documents.remove(other);
    await expect(import_([[index, NAMED]])).rejects.toThrow(`refers to ${other.digest}`);
  });
});

describe("R20: what is listed is found by exactly its name", () => {
  test.each(["local/app:1", "tools:1", "tools", "No Reference", "UPPER:1", "import-2024@"])(
    "%s",
    async (written) => {
      const target = await addSmall();
      // ctr names an image by its digest if the archive does not name it.
      const name = written.endsWith("@") ? `${written}${target.digest}` : written;
      await import_([[target, NAMED]]);
      await ctr(at, "image", "tag", NAME, name);
      await at.client.images.remove(NAME);
      for (const policy of ["never", "if-not-present"] as const) {
        const found = await at.client.images.pull(name, { policy, auth: "anonymous" });
        expect(found.name).toBe(name);
      }
      await useImage(name);
      await at.client.images.remove(name);
      expect(await at.client.images.list()).toEqual([]);
    },
  );

  test("before the one of the full name, which is found by its own", async () => {
    const [first] = await import_([
      [await addSmall(), { "io.containerd.image.name": "docker.io/library/tools:1" }],
    ]);
    await import_([[await addSmall((config) => ({ ...config, other: true })), NAMED]]);
    await ctr(at, "image", "tag", NAME, "tools:1");
    const { images } = at.client;
    const short = await images.pull("tools:1", { policy: "never" });
    expect(short.target.digest).toBe((await images.get(NAME)).target.digest);
    const full = await images.pull("docker.io/library/tools:1", { policy: "never" });
    expect(full.target.digest).toBe(first?.target.digest);
    await images.remove("tools:1");
    expect((await images.pull("tools:1", { policy: "never" })).name).toBe("docker.io/library/tools:1");
  });

  test("and a name that nobody has is refused as before", async () => {
    const { images } = at.client;
    await expect(images.pull("Absent", { policy: "never" })).rejects.toThrow("upper case");
    await expect(images.pull("absent", { policy: "never" })).rejects.toMatchObject({ kind: "not-found" });
    for (const use of [
      (name: string) => images.get(name),
      (name: string) => images.resolve(name),
      (name: string) => images.remove(name),
      (name: string) => images.tag(name, "other:1"),
      (name: string) => all(images.export(name)),
      (name: string) => images.push(name),
    ])
      await expect(use("nobodys:1")).rejects.toMatchObject({
        kind: "not-found",
        message: `image nobodys:1 is not found in the namespace ${at.client.namespace}; pull or import it first, or check its name`,
      });
  });
});

describe("R21: tags alone", () => {
  const tag = (value: string) => ({ "org.opencontainers.image.ref.name": value });

  test("come in behind a base name, each of them", async () => {
    const image = await addSmall();
    const other = await addSmall((config) => ({ ...config, other: true }));
    const entries = [
      [image, tag("1.0")] as const,
      [image, tag("latest")] as const,
      [other, tag("2.0")] as const,
    ];
    await expect(import_(entries)).rejects.toMatchObject({
      kind: "invalid-argument",
      message: expect.stringMatching(/baseName is missing.*"1\.0", "latest", "2\.0"/),
    });
    await expect(import_(entries, { baseName: "a", name: "b" })).rejects.toThrow("name and baseName");
    await expect(import_(entries, { baseName: "a:1" })).rejects.toThrow("has a tag");
    const images = await import_(entries, { baseName: "example.com/app" });
    expect(images.map(({ name }) => name)).toEqual([
      "example.com/app:1.0",
      "example.com/app:latest",
      "example.com/app:2.0",
    ]);
    for (const { name } of images) await useImage(name);
  });

  test("of one image need no base name where it is given a name", async () => {
    const image = await addSmall();
    const entries = [[image, tag("1.0")] as const, [image, tag("latest")] as const];
    expect(await import_(entries, { name: "own" })).toMatchObject([{ name: "docker.io/library/own:latest" }]);
  });
});
