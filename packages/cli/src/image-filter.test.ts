import type { Image } from "@wfe-containerd/client";
import { expect, test } from "vitest";
import { parseImageFilters } from "./image-filter.js";

const IMAGE = { name: "docker.io/library/alpine:3.20", labels: { team: "ci" } } as unknown as Image;

test.each([
  ["reference=alpine", true],
  ["reference=alpine:3.20", true],
  ["reference=docker.io/library/alpine", true],
  ["reference=alpine:3.*", true],
  ["reference=al*", true],
  ["reference=*", true],
  ["reference=alpine:3", false],
  ["reference=pine", false],
  ["reference=alpine.3", false],
  ["label=team", true],
  ["label=team=qa", false],
])("%s: %s", (filter, expected) => {
  expect(parseImageFilters([filter])(IMAGE, "alpine:3.20")).toBe(expected);
});

test.each(["dangling=true", "alpine", "reference=", ""])("%j is refused", (filter) => {
  expect(() => parseImageFilters([filter])).toThrow(/^--filter: .*; allowed: reference=NAME/);
});
