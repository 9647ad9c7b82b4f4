import stringWidth from "string-width";
import { expect, test } from "vitest";
import { widthMeter } from "./text-width.js";

const PRINTABLE = Array.from({ length: 0x7f - 0x20 }, (_, at) => String.fromCharCode(0x20 + at)).join("");

test("plain texts are as wide as string-width says, without string-width", async () => {
  const widthOf = await widthMeter([PRINTABLE, ""]);
  expect(widthOf).not.toBe(stringWidth);
  for (const text of [...PRINTABLE, PRINTABLE, "", "cut…"]) expect(widthOf(text)).toBe(stringWidth(text));
});

test.each(["日本", "e\u0301", "\u001b[1mbold\u001b[0m", "a\tb", "\u007f"])(
  "%j is measured by string-width",
  async (text) => {
    expect(await widthMeter(["plain", text])).toBe(stringWidth);
  },
);
