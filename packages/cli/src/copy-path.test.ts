import { expect, test } from "vitest";
import { parseCopyPath, splitSource } from "./copy-path.js";

test.each([
  ["-", { type: "stream" }],
  ["build:/tmp/a", { type: "step", step: "build", path: "/tmp/a" }],
  ["build:tmp/a:b", { type: "step", step: "build", path: "/tmp/a:b" }],
  ["./a:b", { type: "local", path: "./a:b" }],
  ["/a:b", { type: "local", path: "/a:b" }],
  ["a", { type: "local", path: "a" }],
  [":a", { type: "local", path: ":a" }],
])("%s", (text, path) => {
  expect(parseCopyPath(text)).toEqual(path);
});

test("a step without a path is refused", () => {
  expect(() => parseCopyPath("build:")).toThrow(/^build:: the path is missing; allowed: STEP:PATH/);
});

test.each([
  ["/tmp/a", "/tmp", "a"],
  ["/a", "/", "a"],
  ["a/", ".", "a"],
  ["/tmp/a//", "/tmp", "a"],
  ["/tmp/a/.", "/tmp/a/.", "."],
  [".", ".", "."],
  ["/", "/", "."],
])("%s is in %s, as %s", (path, directory, name) => {
  expect(splitSource(path)).toEqual({ directory, name });
});
