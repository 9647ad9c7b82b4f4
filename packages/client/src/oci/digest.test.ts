import fc from "fast-check";
import { expect, test } from "vitest";
import { checkDigest, isDigest } from "./digest.js";

const hex = (length: number): fc.Arbitrary<string> =>
  fc
    .array(fc.constantFrom(..."0123456789abcdef"), { minLength: length, maxLength: length })
    .map((digits) => digits.join(""));
const digest = fc.oneof(
  hex(64).map((digits) => `sha256:${digits}`),
  hex(128).map((digits) => `sha512:${digits}`),
);

test("every sha256 and sha512 is one, and comes back as it is", () => {
  fc.assert(
    fc.property(digest, (text) => {
      expect(isDigest(text)).toBe(true);
      expect(checkDigest("digest", text)).toBe(text);
    }),
  );
});

test("one character more, fewer or other makes it none", () => {
  fc.assert(
    fc.property(digest, fc.nat(), fc.constantFrom("", "g", "A", ":", "/", "\n", "00"), (text, at, other) => {
      const cut = at % text.length;
      expect(isDigest(text.slice(0, cut) + other + text.slice(cut + 1))).toBe(false);
      expect(isDigest(`${text}\n`)).toBe(false);
    }),
  );
});

test.each([
  ["md5:d41d8cd98f00b204e9800998ecf8427e"],
  ["sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709"],
  [`sha384:${"0".repeat(96)}`],
  [`SHA256:${"0".repeat(64)}`],
  [`sha256:${"A".repeat(64)}`],
  [`sha256:${"0".repeat(128)}`],
  ["../../etc/passwd"],
  [`sha256+b64:${"0".repeat(64)}`],
  [undefined],
  [null],
  [7],
  [{ toString: () => `sha256:${"0".repeat(64)}` }],
  [[`sha256:${"0".repeat(64)}`]],
])("bad input 16: %j is no digest", (value) => {
  expect(() => checkDigest("layers[0].digest", value)).toThrow(
    expect.objectContaining({
      kind: "invalid-argument",
      message: expect.stringMatching(/^layers\[0\]\.digest: .*; allowed: sha256: or sha512:/s),
    }),
  );
});
