import { z } from "zod";
import { EXCLUSIVE } from "./check-together.js";
import { describeField } from "./declaration.js";
import { STEP_FIELDS, stepSchema } from "./schema.js";

/** A JSON Schema, as far as we use it. */
export interface JsonSchema {
  readonly [keyword: string]: unknown;
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly pattern?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly JsonSchema[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | JsonSchema;
  readonly propertyNames?: JsonSchema;
  readonly items?: JsonSchema;
}

/** Where npm's CDN serves the schemas that this package contains. */
const BASE = "https://unpkg.com/@wfe-containerd/executor/schema";

/**
 * Returns the JSON Schema (2020-12) of a step, with the names of step files, for programs that write steps.
 */
export function stepJsonSchema(): object {
  const { $schema, properties, ...schema } = z.toJSONSchema(stepSchema, {
    io: "input",
    unrepresentable: "any",
  }) as JsonSchema;
  return {
    $schema,
    $id: `${BASE}/step.json`,
    title: "A step for wfe-containerd",
    ...schema,
    properties: Object.fromEntries(
      Object.entries(STEP_FIELDS).map(([name, field]) => {
        const { examples } = field;
        return [
          name,
          { description: describeField(field), ...properties?.[name], ...(examples && { examples }) },
        ];
      }),
    ),
    dependentRequired: { shell: ["run"], tls: ["containerd_addr"], memory_swap: ["memory"] },
    dependentSchemas: Object.fromEntries(
      EXCLUSIVE.map(([one, others]) => [
        one,
        { properties: Object.fromEntries(others.map((other) => [other, false])) },
      ]),
    ),
  };
}

/**
 * Returns the JSON Schema (2020-12) of a step file, for editors: one step, or a list under `steps`. Where a
 * field is a text, a file may also have a number or a boolean: it is the text as written.
 */
export function stepFileJsonSchema(): object {
  const { $schema, $id, ...step } = stepJsonSchema() as JsonSchema;
  return {
    $schema,
    $id: `${BASE}/step-file.json`,
    title: "A step file for wfe-containerd",
    description: "One step, or steps in order under `steps`.",
    type: "object",
    properties: { steps: { description: "Steps, in the order in which they run." } },
    if: { required: ["steps"] },
    // biome-ignore lint/suspicious/noThenProperty: it is a keyword of JSON Schema
    then: {
      properties: { steps: { type: "array", minItems: 1, items: { $ref: "#/$defs/step" } } },
      // As in a Compose file, such keys hold anchors.
      patternProperties: { "^x-": true },
      additionalProperties: false,
    },
    else: { $ref: "#/$defs/step" },
    $defs: { step: asInFile(step) },
  };
}

let step: JsonSchema | undefined;

/** Returns the names of the fields at a path of a step: at `["volumes", 0]` those of a volume. */
export function fieldNamesAt(path: readonly PropertyKey[]): string[] {
  step ??= stepJsonSchema() as JsonSchema;
  const schemas = path.reduce<readonly JsonSchema[]>(
    (at, part) => at.flatMap(alternatives).flatMap((schema) => below(schema, part)),
    [step],
  );
  return schemas.flatMap(alternatives).flatMap(({ properties = {} }) => Object.keys(properties));
}

/** Returns what a schema accepts, each as a schema without `anyOf`. */
export function alternatives(schema: JsonSchema): readonly JsonSchema[] {
  return schema.anyOf === undefined ? [schema] : schema.anyOf.flatMap(alternatives);
}

function below(
  { items, properties = {}, additionalProperties }: JsonSchema,
  part: PropertyKey,
): JsonSchema[] {
  if (typeof part === "number") return items === undefined ? [] : [items];
  const property = Object.hasOwn(properties, part) ? properties[String(part)] : additionalProperties;
  return typeof property === "object" ? [property] : [];
}

/** Accepts what YAML reads as a number, a boolean or nothing, where we take the text as written. */
function asInFile(schema: JsonSchema): JsonSchema {
  const { anyOf, items, properties, additionalProperties } = schema;
  return {
    ...schema,
    ...(isText(schema) && schema.enum === undefined && { type: typesOfText(schema) }),
    ...(anyOf && { anyOf: anyOf.map(asInFile) }),
    ...(items && { items: asInFile(items) }),
    ...(properties && { properties: mapValues(properties, propertyInFile) }),
    ...(typeof additionalProperties === "object" && {
      additionalProperties: propertyInFile(additionalProperties),
    }),
  };
}

function isText({ type = [] }: JsonSchema): boolean {
  return [type].flat().includes("string");
}

/** The types that a text may have in a file. If its pattern matches no number, it may not be one. */
function typesOfText({ type = [], pattern = "" }: JsonSchema): string[] {
  const accepts = new RegExp(pattern, "u");
  const written = { number: "7", boolean: "true", null: "" };
  const others = Object.entries(written).flatMap(([name, text]) => (accepts.test(text) ? [name] : []));
  return [...new Set([...[type].flat(), ...others])];
}

/** In a file, a property without a value counts as not given; a text is then empty. */
function propertyInFile(schema: JsonSchema): JsonSchema {
  const { description, default: standard, examples, ...rest } = asInFile(schema);
  if (alternatives(schema).some(isText)) return asInFile(schema);
  return { description, default: standard, examples, anyOf: [rest, { type: "null" }] };
}

function mapValues<T, U>(map: Readonly<Record<string, T>>, change: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [key, change(value)]));
}
