import fc from "fast-check";
import { expect, test } from "vitest";
import { createEntryCheck } from "./copied-archive.js";

const check = (entry: object, limits = { maxBytes: 10, maxEntries: 2 }) =>
  createEntryCheck(limits)({ name: "a", type: "file", ...entry });

test("files, directories and links inside are taken", () => {
  expect(check({ name: "./a//b", size: 10 })).toEqual({ kind: "file", parts: ["a", "b"] });
  expect(check({ name: "a/", type: "directory" })).toEqual({ kind: "directory", parts: ["a"] });
  expect(check({ name: "a/b", type: "symlink", linkname: "../c" })).toEqual({
    kind: "symlink",
    parts: ["a", "b"],
  });
});

test.each([
  { name: "/etc/passwd" },
  { name: "../a" },
  { name: "a/../../b" },
  { name: "a\0b" },
  { name: ".wh.a" },
  { name: "a/.wh..wh..opq" },
  { type: "block-device" },
  { type: "character-device" },
  { type: "fifo" },
  { type: "link", linkname: "a" },
  { type: "symlink", linkname: "/etc" },
  { type: "symlink", linkname: "../a" },
  { name: "a/b", type: "symlink", linkname: "x/../../../c" },
  { type: "symlink", linkname: "" },
  { type: "symlink" },
  { type: "__proto__" },
  { size: 11 },
])("%j is refused", (entry) => {
  expect(() => check(entry)).toThrow(/^archive: .*; allowed: /);
});

test("the limits count all entries together", () => {
  const of = (count: number, size: number) => {
    const next = createEntryCheck({ maxBytes: 10, maxEntries: 2 });
    for (let i = 0; i < count; i++) next({ name: "a", type: "file", size });
  };
  expect(() => of(2, 5)).not.toThrow();
  expect(() => of(3, 0)).toThrow("up to 2 entries");
  expect(() => of(2, 6)).toThrow("up to 10 bytes");
});

test("no name that is taken leads out of its directory", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom("a", ".", "..", "", "/", ".wh.")), (parts) => {
      try {
        const taken = check({ name: parts.join("/") });
        expect(taken.parts.every((part) => part === "a")).toBe(true);
      } catch (reason) {
        expect(String(reason)).toContain("archive: ");
      }
    }),
  );
});
