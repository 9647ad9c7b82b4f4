import { expect, test } from "vitest";
import { areCamelCase, toCamelCase, toSnakeCase } from "./name-case.js";

test("a name in one case becomes the same name in the other", () => {
  expect(toSnakeCase("noNewPrivileges")).toBe("no_new_privileges");
  expect(toSnakeCase("working_dir")).toBe("working_dir");
  expect(toCamelCase("no_new_privileges")).toBe("noNewPrivileges");
  expect(toCamelCase("workingDir")).toBe("workingDir");
});

test.each([
  [["name", "workingDir"], true],
  [["name", "working_dir"], false],
  [["name", "image"], false],
  [["workingDir", "cap_add"], false],
  [[], false],
])("%j are in camelCase: %s", (names, expected) => {
  expect(areCamelCase(names)).toBe(expected);
});
