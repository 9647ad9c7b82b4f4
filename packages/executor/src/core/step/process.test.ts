import { FUZZ_RUNS } from "@wfe-containerd/test-infra/fuzz";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isExecutorError } from "../../error.js";
import { composeEnvironment } from "../spec/process.js";
import { parseStep } from "./parse-step.js";

const least = { name: "s", image: "alpine" };
const text = fc.string({ unit: "binary" }).filter((value) => !value.includes("\0"));
const name = text.filter((value) => value !== "" && !value.includes("="));
const variables = fc.dictionary(name, text, { noNullPrototype: true });

describe("environment variables", () => {
  test("are kept as they are, written as a map or as a list", () => {
    fc.assert(
      fc.property(variables, (env) => {
        const list = Object.entries(env).map(([key, value]) => `${key}=${value}`);
        const asList = Object.entries(parseStep({ ...least, env: list }).env);
        expect(asList).toEqual(Object.entries(env));
        const asMap = Object.entries(parseStep({ ...least, env }).env);
        // A map loses this name: schemas do not take it as a key.
        expect(asMap).toEqual(Object.entries(env).filter(([key]) => key !== "__proto__"));
      }),
      { numRuns: 500 },
    );
  });

  test("reach the process whole: each once, and as NAME=value", () => {
    fc.assert(
      fc.property(variables, (env) => {
        const list = Object.entries(env).map(([key, value]) => `${key}=${value}`);
        const composed = composeEnvironment({ step: parseStep({ ...least, env: list }).env });
        expect(composed).toEqual(expect.arrayContaining(list));
        const names = composed.map((entry) => entry.slice(0, entry.indexOf("=")));
        expect(new Set(names).size).toBe(names.length);
      }),
      { numRuns: 500 },
    );
  });

  test("given twice in a list are refused, whatever their values", () => {
    fc.assert(
      fc.property(name, text, text, (key, one, other) => {
        const env = [`${key}=${one}`, "BETWEEN==", `${key}=${other}`];
        expect(refusedFields({ env })).toContain("env");
      }),
    );
  });

  test("with NUL anywhere, or without a name, are refused", () => {
    fc.assert(
      fc.property(text, text, (before, after) => {
        const nul = `${before}\0${after}`;
        for (const env of [{ A: nul }, { [`A${nul}`]: "x" }, [`A=${nul}`], { "": before }, [`=${before}`]])
          expect(refusedFields({ env }), JSON.stringify(env)).toContain("env");
      }),
    );
  });
});

test("arguments are kept one by one, whatever they hold", () => {
  fc.assert(
    fc.property(fc.array(text, { minLength: 1 }), (command) => {
      expect(parseStep({ ...least, command }).command).toEqual(command);
    }),
  );
});

test("a working directory that is taken is absolute, has no .., and is not in /proc", () => {
  const part = fc.oneof(fc.constantFrom("", ".", "..", "proc", "a", "proc\0", "self"), fc.string());
  fc.assert(
    fc.property(fc.array(part), fc.boolean(), (parts, isAbsolute) => {
      const path = `${isAbsolute ? "/" : ""}${parts.join("/")}`;
      if (refusedFields({ working_dir: path }).length > 0) return;
      const taken = parseStep({ ...least, working_dir: path }).workingDir ?? "";
      const kept = taken.split("/").filter((each) => each !== "");
      expect(taken.startsWith("/") && !taken.includes("\0")).toBe(true);
      expect(kept).not.toEqual(expect.arrayContaining([".."]));
      expect(kept[0]).not.toBe("proc");
    }),
    { numRuns: FUZZ_RUNS },
  );
});

function refusedFields(change: object): string[] {
  try {
    parseStep({ ...least, ...change });
  } catch (reason) {
    expect(isExecutorError(reason, "invalid-step")).toBe(true);
    if (isExecutorError(reason)) return reason.issues.map(({ field }) => field.replace(/\[.*/s, ""));
  }
  return [];
}
