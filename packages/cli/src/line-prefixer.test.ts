import fc from "fast-check";
import { expect, test } from "vitest";
import { createLinePrefixer, type LinePrefixerOptions } from "./line-prefixer.js";

/** @param cuts lengths of the pieces; the rest comes as one. */
function prefixed(text: string, cuts: readonly number[], options?: LinePrefixerOptions): string {
  const lines = createLinePrefixer("> ", options);
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
      expect(prefixed(text, cuts, { wholeLines: true })).toBe(prefixed(text, []));
    }),
  );
});

test("with whole lines, an unfinished line waits for its end, up to 64 KiB", () => {
  const lines = createLinePrefixer("> ", { wholeLines: true });
  const add = (text: string): string => Buffer.from(lines.add(Buffer.from(text))).toString();
  expect([add("a\nb"), add("c"), add("\n")]).toEqual(["> a\n", "", "> bc\n"]);
  const long = "x".repeat(64 * 1024);
  expect(add(long)).toBe(`> ${long}\n`);
  expect(add("y")).toBe("");
  expect(Buffer.from(lines.end() ?? []).toString()).toBe("> y\n");
});
