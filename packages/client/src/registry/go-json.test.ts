import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { goField, goFieldName, parseGoStruct } from "./go-json.js";

describe("parseGoStruct", () => {
  test.each([
    ["", {}],
    [" \n\t", {}],
    ["null", {}],
    ["{}", {}],
    ['{"a": 1}\n', { a: 1 }],
    ['{"a": "}\\"{"} trailing { text', { a: '}"{' }],
    ['{"a": {"b": {}}} {"c": 1}', { a: { b: {} } }],
    ["[]", undefined],
    ['"text"', undefined],
    ["7", undefined],
    ["{", undefined],
    ['{"a": 1', undefined],
    ["not json", undefined],
  ])("reads %j as %j", (text, expected) => {
    expect(parseGoStruct(text)).toEqual(expected);
  });

  test("reads every object that JSON has, whatever follows it", () => {
    const object = fc.dictionary(fc.string(), fc.jsonValue());
    fc.assert(
      fc.property(object, fc.string(), (value, rest) => {
        expect(JSON.stringify(parseGoStruct(JSON.stringify(value) + rest))).toBe(JSON.stringify(value));
      }),
    );
  });
});

describe("goField", () => {
  test.each([
    [{ Secret: "a" }, "a"],
    [{ secret: "a" }, "a"],
    [{ SECRET: "a", secret: "b" }, "b"],
    [{ Secret: "a", secret: null }, "a"],
    [{ Secret: null }, undefined],
    [{}, undefined],
  ])("finds Secret in %j: %j", (struct, expected) => {
    expect(goField(struct, "Secret")).toBe(expected);
  });

  test("tells the name under which a field is written", () => {
    expect(goFieldName({ Auths: {} }, "auths")).toBe("Auths");
    expect(goFieldName({}, "auths")).toBe("auths");
  });
});
