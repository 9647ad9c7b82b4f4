import fc from "fast-check";
import { expect, test } from "vitest";
import { createLinePrefixer } from "./line-prefixer.js";

/** @param cuts lengths of the pieces; the rest comes as one. */
function prefixed(text: string, cuts: readonly number[]): string {
  const lines = createLinePrefixer("> ");
  let rest = Buffer.from(text);
  const parts: Uint8Array[] = [];
  for (const cut of cuts) {
    parts.push(lines.add(rest.subarray(0, cut)));
    rest = rest.subarray(cut);
  }
  parts.push(lines.add(rest), lines.end() ?? Buffer.of());
  return Buffer.concat(parts).toString();
}

test.each([
  ["", ""],
  ["a\n", "> a\n"],
  ["a\n\nb", "> a\n> \n> b\n"],
  ["\n", "> \n"],
])("%j becomes %j", (text, expected) => {
  expect(prefixed(text, [])).toBe(expected);
});

test("where the pieces are cut does not matter", () => {
  const texts = fc.array(fc.constantFrom("a", "\n", "日", "\r")).map((parts) => parts.join(""));
  fc.assert(
    fc.property(texts, fc.array(fc.nat(5)), (text, cuts) => {
      expect(prefixed(text, cuts)).toBe(prefixed(text, []));
    }),
  );
});
