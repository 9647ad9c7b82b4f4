import fc from "fast-check";
import { expect, test } from "vitest";
import { incompleteEnd, incompleteStart } from "./utf8.js";

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const strict = (bytes: Uint8Array): string => new TextDecoder("utf-8", { fatal: true }).decode(bytes);

test("text that is cut anywhere is whole characters again without the incomplete ends", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.nat(), (text, place) => {
      const whole = encode(text);
      const cut = place % (whole.byteLength + 1);
      const first = whole.subarray(0, cut);
      const rest = whole.subarray(cut);
      const lost = incompleteEnd(first) + incompleteStart(rest);
      const before = strict(first.subarray(0, first.byteLength - incompleteEnd(first)));
      const after = strict(rest.subarray(incompleteStart(rest)));
      expect(encode(before + after).byteLength + lost).toBe(whole.byteLength);
      // At most the one character at the cut is lost.
      expect(lost).toBeLessThanOrEqual(4);
    }),
  );
});

test("bytes that are not UTF-8 are kept, but for three that look like the rest of a character", () => {
  expect(incompleteEnd(Uint8Array.of(0xff, 0xfe))).toBe(0);
  expect(incompleteEnd(Uint8Array.of(0x80, 0x80, 0x80, 0x80))).toBe(0);
  expect(incompleteStart(Uint8Array.of(0x80, 0x80, 0x80, 0x80))).toBe(3);
  expect(incompleteStart(new Uint8Array(0))).toBe(0);
});
