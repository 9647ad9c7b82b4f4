// Checks that everything made from the declarations of a step's fields is current. `npm run generate` writes
// it again.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, expectTypeOf, test } from "vitest";
import type { z } from "zod";
import { stepJsonSchema } from "../src/core/step/json-schema.js";
import { FIELD_GROUPS, STEP_FIELDS, type stepSchema } from "../src/core/step/schema.js";
import { stepFileJsonSchema } from "../src/core/step/step-file-schema.js";
import type { StepInput } from "../src/core/step/step-input.js";
import { toCamelCase } from "../src/core/units/name-case.js";
import { stepInputText } from "./step-input.js";
import { fieldTable, withPart } from "./tables.js";

const PACKAGE = join(import.meta.dirname, "..");
const README = join(PACKAGE, "README.md");

test("the type of a step in TypeScript is current", async () => {
  await expect(stepInputText()).toMatchFileSnapshot(join(PACKAGE, "src/core/step/step-input.ts"));
});

test("the field tables of the README are current", async () => {
  let page = await readFile(README, "utf8");
  for (const [name, fields] of Object.entries(FIELD_GROUPS))
    page = withPart(page, `fields: ${name}`, fieldTable(fields));
  await expect(page).toMatchFileSnapshot(README);
});

test.each([
  ["step.json", stepJsonSchema],
  ["step-file.json", stepFileJsonSchema],
])("schema/%s is current", async (file, schema) => {
  const text = `${JSON.stringify(schema(), undefined, 2)}\n`;
  await expect(text).toMatchFileSnapshot(join(PACKAGE, "schema", file));
});

type Camel<S extends string> = S extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<Camel<Tail>>}`
  : S;
type OnlyRead<T> = T extends object ? { readonly [K in keyof T]: OnlyRead<T[K]> } : T;
type Written = z.input<typeof stepSchema>;
type InProgram = { readonly [K in keyof Written as Camel<K>]: OnlyRead<Written[K]> };

// The compiler checks it.
test("the type accepts what the schema accepts, and nothing else", () => {
  expectTypeOf<InProgram>().toExtend<StepInput>();
  expectTypeOf<StepInput>().toExtend<InProgram>();
});

test("an editor is offered each field once, in camelCase, with its description", () => {
  const names = [...stepInputText().matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, name]) => name);
  expect(names).toEqual(Object.keys(STEP_FIELDS).map(toCamelCase));
  expect(new Set(names).size).toBe(names.length);
  expect(stepInputText().match(/\*\/\n {2}readonly /g)).toHaveLength(names.length);
});

test("a page without the place for a part is an error", () => {
  expect(withPart("a\n<!-- x -->\nold\n<!-- /x -->\nb", "x", "new")).toBe(
    "a\n<!-- x -->\n\nnew\n\n<!-- /x -->\nb",
  );
  expect(() => withPart("a", "x", "new")).toThrow("<!-- x -->");
});
