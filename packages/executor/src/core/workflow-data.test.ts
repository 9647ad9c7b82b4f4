import { expect, test } from "vitest";
import { toStrings, toWorkflowData } from "./workflow-data.js";

test("a result becomes data under the step's name, and its outputs under their own", () => {
  const result = { name: "build", stdout: "o", stderr: "e", exitCode: 0, outputs: { image: "x" } };
  expect(toWorkflowData(result)).toEqual({
    "build.stdout": "o",
    "build.stderr": "e",
    "build.exit_code": 0,
    image: "x",
  });
});

test("values become text; what is nothing is passed over", () => {
  expect(toStrings({ a: 1, b: true, c: "s", d: null, e: undefined })).toEqual({ a: "1", b: "true", c: "s" });
});

test("a step's whole output is passed over when no variable can hold it; anything else is refused", () => {
  expect(toStrings({ "s.stdout": "x\0", "s.stderr": "y".repeat(200_000), ok: "1" })).toEqual({ ok: "1" });
  expect(() => toStrings({ key: "x\0" })).toThrow(expect.objectContaining({ kind: "invalid-argument" }));
});

test("what is no value of a workflow is refused, not written down as something else", () => {
  for (const value of [{}, [], { toString: null }, Symbol("x"), 1n, () => 1]) {
    expect(() => toStrings({ a: value } as never)).toThrow("data: a is no text, number or boolean");
  }
  expect(Object.entries(toStrings(JSON.parse('{"__proto__": "x"}')))).toEqual([["__proto__", "x"]]);
});
