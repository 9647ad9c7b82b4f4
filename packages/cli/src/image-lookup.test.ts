import type { Image } from "@wfe-containerd/client";
import { expect, test } from "vitest";
import { chooseImages } from "./image-lookup.js";

const image = (name: string, digest: string): Image => ({ name, target: { digest } }) as Image;
const IMAGES = [image("a:1", "sha256:aaaa11"), image("a:2", "sha256:aaaa11"), image("b:1", "sha256:aaaa22")];

test("the beginning of a digest means all names of one image", () => {
  expect(chooseImages("aaaa1", "aaaa1", IMAGES).map(({ name }) => name)).toEqual(["a:1", "a:2"]);
  expect(chooseImages("bbbb", "bbbb", IMAGES)).toEqual([]);
});

test("of several images, all are named", () => {
  expect(() => chooseImages("aaaa", "aaaa", IMAGES)).toThrow(
    '"aaaa" is the beginning of 2 digests: sha256:aaaa11 (a:1), sha256:aaaa11 (a:2), sha256:aaaa22 (b:1); give more digits, or a name',
  );
});
