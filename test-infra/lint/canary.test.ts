import fc from "fast-check";
import { expect, test } from "vitest";
import { CANARY, findCanaries } from "../../scripts/canary.mjs";

test.each([
  ["as it is", (text: string) => text],
  ["in base64", (text: string) => Buffer.from(text).toString("base64")],
  ["in base64 for URLs", (text: string) => Buffer.from(text).toString("base64url")],
  ["in hexadecimal digits", (text: string) => Buffer.from(text).toString("hex")],
])("a secret is found %s, whatever is around it", (_, encode) => {
  const other = fc.string({ unit: fc.constantFrom(..."abc:=/ 09") });
  fc.assert(
    fc.property(other, other, (before, after) => {
      expect(findCanaries(`log: ${encode(`${before}${CANARY}-password${after}`)} end`)).not.toEqual([]);
    }),
  );
});

test("what holds no secret is passed", () => {
  fc.assert(fc.property(fc.string(), (text) => void expect(findCanaries(text)).toEqual([])));
});
