import fc from "fast-check";
import { expect, test } from "vitest";
import { toJson } from "./json.js";

test("whatever JSON.stringify writes of an object, it writes too", () => {
  fc.assert(
    fc.property(fc.object({ withDate: true, withNullPrototype: true }), (value) => {
      expect(toJson(value)).toBe(JSON.stringify(value));
    }),
  );
  expect(toJson([undefined, () => 1, { a: undefined, b: Number.NaN }])).toBe('[null,null,{"b":null}]');
});

test("a bigint is a number to the last digit", () => {
  expect(toJson({ limits: [18446744073709551615n, -1n, 0n] })).toBe('{"limits":[18446744073709551615,-1,0]}');
});
