import * as z from "zod";
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
export const BASE = "https://unpkg.com/@wfe-containerd/executor/schema";

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
