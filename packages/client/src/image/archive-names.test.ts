import { describe, expect, test } from "vitest";
import type { Descriptor } from "../oci/descriptor.js";
import { MEDIA_TYPES } from "../oci/media-type.js";
import type { ArchivedImage } from "./archive-images.js";
import { checkBaseName, nameImages } from "./archive-names.js";

const descriptor = (digit: string): Descriptor => ({
  mediaType: MEDIA_TYPES.manifest,
  digest: `sha256:${digit.repeat(64)}`,
  size: 1,
});
const one = descriptor("1");
const two = descriptor("2");
const all = async (): Promise<boolean> => true;
const entry = (target: Descriptor, names: readonly string[], tag?: string): ArchivedImage => ({
  target,
  names,
  tag,
});

describe("R21: the names of an archive's images", () => {
  test.each<[string, ArchivedImage[], string | undefined, Record<string, Descriptor>]>([
    ["in full", [entry(one, ["a:1"])], undefined, { "docker.io/library/a:1": one }],
    [
      "several of one image",
      [entry(one, ["a:1", "b.example/a:2"]), entry(one, ["a:3"])],
      undefined,
      { "docker.io/library/a:1": one, "b.example/a:2": one, "docker.io/library/a:3": one },
    ],
    [
      "tags alone, behind a base name",
      [entry(one, [], "1.0"), entry(one, [], "latest"), entry(two, [], "2.0")],
      "b.example/a",
      { "b.example/a:1.0": one, "b.example/a:latest": one, "b.example/a:2.0": two },
    ],
    ["a base name of the hub", [entry(one, [], "1.0")], "a", { "docker.io/library/a:1.0": one }],
    [
      "full names stay as they are beside a base name",
      [entry(one, ["c:1"], "1"), entry(two, [], "2")],
      "b.example/a",
      { "docker.io/library/c:1": one, "b.example/a:2": two },
    ],
    [
      "what has no name is left out beside what has one",
      [entry(two, []), entry(one, ["a:1"]), entry(two, [], "2")],
      undefined,
      { "docker.io/library/a:1": one },
    ],
    [
      "a name twice for one image",
      [entry(one, ["a:1"]), entry(one, ["a:1"])],
      undefined,
      { "docker.io/library/a:1": one },
    ],
  ])("%s", async (_, found, baseName, expected) => {
    const named = await nameImages(found, { baseName }, all);
    expect(Object.fromEntries(named.map(({ name, target }) => [name, target]))).toEqual(expected);
  });

  test.each<[string, ArchivedImage[], string | undefined]>([
    [
      "the archive gives two images the name docker.io/library/a:1",
      [entry(one, ["a:1"]), entry(two, ["a:1"])],
      undefined,
    ],
    ["gives two images the name b.example/a:1", [entry(one, [], "1"), entry(two, [], "1")], "b.example/a"],
    [
      'baseName is missing: .*only tags, no names: "1", "2"; give the name',
      [entry(one, [], "1"), entry(two, [], "2")],
      undefined,
    ],
    ["name is missing: the archive gives its image no name", [entry(one, [])], undefined],
    ["name is missing", [entry(one, [])], "b.example/a"],
    ["name is missing", [], undefined],
    ["has an invalid tag", [entry(one, [], "no tag")], "b.example/a"],
  ])("are refused: %s", async (problem, found, baseName) => {
    await expect(nameImages(found, { baseName }, all)).rejects.toThrow(new RegExp(problem));
  });

  test("a name of our choice is for an archive of one image, under however many tags and beside artifacts", async () => {
    const name = "docker.io/library/mine:1";
    for (const found of [
      [entry(one, [])],
      [entry(one, ["a:1"]), entry(one, [], "2")],
      [entry(two, []), entry(one, ["a:1"])],
    ]) {
      const isOne = async ({ digest }: Descriptor): Promise<boolean> => digest === one.digest;
      expect(await nameImages(found, { name }, isOne)).toEqual([{ name, target: one }]);
    }
    await expect(nameImages([entry(one, []), entry(two, [])], { name }, all)).rejects.toThrow(
      "the archive contains 2 images; allowed: a name for an archive of one image",
    );
  });
});

test.each(["a", "b.example/a", "localhost:5000/a/b"])("the base name %s is taken", (name) => {
  expect(checkBaseName(name)).toBe(name);
});

test.each([
  ["a:1", "has a tag or a digest"],
  ["b.example/a:1", "has a tag or a digest"],
  ["localhost:5000", "has a tag or a digest"],
  [`a@sha256:${"0".repeat(64)}`, "has a tag or a digest"],
  ["A", "upper case"],
  ["", "image reference"],
  ["a/", "image reference"],
  ["https://b.example/a", "scheme"],
])("the base name %s is refused: %s", (name, problem) => {
  expect(() => checkBaseName(name)).toThrow(problem);
});
