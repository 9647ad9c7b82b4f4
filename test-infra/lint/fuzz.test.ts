import { expect, test } from "vitest";
import { type FuzzTarget, feedLong, fuzz } from "../fuzz/fuzz.js";

class Refusal extends Error {}
const options = {
  // So many that the rare one is among them.
  inputs: 5_000,
  isRefusal: (reason: unknown) => reason instanceof Refusal,
};
const target = (parse: (input: never) => unknown, samples: readonly unknown[] = ["ab", "1"]): FuzzTarget => ({
  name: "planted",
  samples,
  parse,
});

/** @returns what a run finds. In fast-check's own error this is the cause. */
function found(run: () => void): string {
  try {
    run();
  } catch (reason) {
    return String((reason as Error).cause ?? reason);
  }
  return "nothing";
}

test("a parser that answers, or refuses in its own words, passes", () => {
  fuzz(
    target((text: string) => {
      if (text.includes("9")) throw new Refusal();
      return { text, words: [text] };
    }),
    options,
  );
});

test("one that lets another error through is found", () => {
  const decode = (text: string) => decodeURIComponent(text);
  expect(found(() => fuzz(target(decode), options))).toContain("malformed");
  // Returns only the type: a value such as a date would be a finding of a different kind.
  const first = (value: { a: unknown[] }) => typeof value.a[0];
  expect(found(() => fuzz(target(first, [{ a: [1] }]), options))).toContain("TypeError");
});

test("one that changes what all objects share is found", () => {
  const assign = (path: string) => {
    const [name = "", key = ""] = path.split(".");
    const root: Record<string, Record<string, unknown>> = { a: {} };
    // Never an existing name: fast-check itself calls the methods that all objects share.
    if (name === "__proto__" && key.length > 3) (root[name] ?? {})[`planted ${key}`] = 1;
  };
  const before = new Set(Reflect.ownKeys(Object.prototype));
  try {
    expect(found(() => fuzz(target(assign, ["__proto__.abc"]), options))).toContain("prototype");
  } finally {
    for (const key of Reflect.ownKeys(Object.prototype))
      if (!before.has(key)) Reflect.deleteProperty(Object.prototype, key);
  }
});

test("one that answers with what every object has is found", () => {
  const names: Record<string, string> = { ab: "x" };
  const lookUp = (text: string) => text.split(/\W+/).map((word) => names[word] ?? word);
  expect(found(() => fuzz(target(lookUp, ["ab:1"]), options))).toContain("function");
});

test("one that takes the square of what it is given is found", () => {
  const trim = (text: string) => text.replace(/a+$/, "");
  expect(() => feedLong(target(trim, ["xx"]), { ...options, watchdogMs: 2_000 })).toThrow(
    "does not come to an end",
  );
});
