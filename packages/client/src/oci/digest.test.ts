import fc from "fast-check";
import { expect, test } from "vitest";
import { checkDigest, isDigest } from "./digest.js";

const hex = (length: number) =>
  fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: length, maxLength: length });

test("of the two algorithms is taken, and of no other", () => {
  fc.assert(
    fc.property(hex(64), hex(128), (short, long) => {
      expect(checkDigest("x", `sha256:${short}`)).toBe(`sha256:${short}`);
      expect(checkDigest("x", `sha512:${long}`)).toBe(`sha512:${long}`);
    }),
  );
  fc.assert(
    fc.property(fc.string(), fc.integer({ min: 0, max: 200 }), (name, length) => {
      expect(isDigest(`${name}:${"a".repeat(length)}`)).toBe(
        (name === "sha256" && length === 64) || (name === "sha512" && length === 128),
      );
    }),
  );
});

test.each([
  "",
  "sha256:",
  `sha256:${"A".repeat(64)}`,
  `sha256:${"a".repeat(63)}`,
  `md5:${"a".repeat(32)}`,
  `sha256:${"a".repeat(64)}\n`,
  7,
  null,
])("%j is refused, by the field's name", (value) => {
  expect(() => checkDigest("layers[0].digest", value)).toThrow(/^layers\[0\]\.digest: .*allowed: sha256/s);
});
