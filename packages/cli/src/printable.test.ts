import fc from "fast-check";
import { expect, test } from "vitest";
import { printable, printableLine, toJson } from "./printable.js";

test.each([
  ["plain text, grüße 你好 🎉 \\x1b", "plain text, grüße 你好 🎉 \\x1b"],
  ["\x1b]0;title\x07\x1b[2J", "\\x1b]0;title\\x07\\x1b[2J"],
  ["a\rb\tc\x7f", "a\\x0db\\x09c\\x7f"],
  ["\x9b31m\x85", "\\x9b31m\\x85"],
  ["abc\u202etxt.exe\u2066", "abc\\u202etxt.exe\\u2066"],
])("%j is printed as %j", (text, expected) => {
  expect(printable(text)).toBe(expected);
  expect(printableLine(text)).toBe(expected);
});

test("lines of a message stay lines, and none looks like one of our own", () => {
  expect(printable("a\nwfe-containerd: fine\r\n  ^")).toBe("a\n  wfe-containerd: fine\n    ^");
  expect(printableLine("a\nb")).toBe("a\\x0ab");
});

test("a message has an end", () => {
  expect(printable("x".repeat(5000))).toBe(`${"x".repeat(4000)}… (1000 characters more)`);
});

test("JSON says the same, in signs that do nothing", () => {
  const value = ["\x1b[2J\x7f\x9b\u202e\u2028", { "k\x9b": "ü\n" }];
  const json = toJson(value);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
  expect(json).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e]/);
  expect(JSON.parse(json)).toEqual(value);
  fc.assert(
    fc.property(fc.jsonValue(), (any) => {
      expect(JSON.parse(toJson(any))).toEqual(JSON.parse(JSON.stringify(any)));
    }),
  );
});
