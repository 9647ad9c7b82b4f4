import { SESSION_STEP_FIELDS } from "./exec.js";
import { alternatives, BASE, type JsonSchema, stepJsonSchema } from "./json-schema.js";
import { SESSION_FIELDS } from "./session-fields.js";

/**
 * Returns the JSON Schema (2020-12) of a step file, for editors: one step, or a list under `steps`. Where a
 * field is a text, a file may also have a number or a boolean: it is the text as written.
 */
export function stepFileJsonSchema(): object {
  const { $schema, $id, ...step } = stepJsonSchema() as JsonSchema;
  const inFile = asInFile(step);
  return {
    $schema,
    $id: `${BASE}/step-file.json`,
    title: "A step file for wfe-containerd",
    description: "One step, or steps in order under `steps`.",
    type: "object",
    // For an editor that offers keys before it knows which kind of file it is.
    properties: {
      steps: { description: "Steps, in the order in which they run." },
      session: SESSION,
      workspace: WORKSPACE,
    },
    if: { required: ["steps"] },
    // biome-ignore lint/suspicious/noThenProperty: it is a keyword of JSON Schema
    then: {
      if: { properties: { session: { const: true } }, required: ["session"] },
      // biome-ignore lint/suspicious/noThenProperty: it is a keyword of JSON Schema
      then: { $ref: "#/$defs/session" },
      else: { $ref: "#/$defs/steps" },
    },
    else: { $ref: "#/$defs/step" },
    $defs: {
      step: inFile,
      steps: fileOf("step", {}),
      session: {
        ...fileOf("session_step", only(inFile.properties, SESSION_FIELDS)),
        required: ["image"],
        dependentRequired: { tls: ["containerd_addr"], memory_swap: ["memory"] },
      },
      session_step: {
        ...inFile,
        properties: {
          ...only(inFile.properties, SESSION_STEP_FIELDS),
          secrets: { ...withoutTarget(inFile.properties?.["secrets"]), examples: [["npm-token"]] },
        },
        required: ["name"],
        anyOf: [{ required: ["run"] }, { required: ["command"] }],
        dependentRequired: { shell: ["run"] },
      },
    },
  };
}

const SESSION = {
  description: "Whether all steps of the file run in one container, which the fields next to it describe.",
  type: ["boolean", "null"],
  default: false,
};

const WORKSPACE = {
  description:
    "Path in the container of a directory that all steps of the file share. It is made for the run, and is the working directory of steps that name none.",
  type: ["string", "null"],
  pattern: "^/+[^/]",
  examples: ["/work"],
};

/** A file with a list of steps. As in a Compose file, keys that begin with x- hold anchors. */
function fileOf(step: string, properties: JsonSchema["properties"]): JsonSchema {
  const steps = { type: "array", minItems: 1, items: { $ref: `#/$defs/${step}` } };
  return {
    properties: { ...properties, steps, session: SESSION, workspace: WORKSPACE },
    patternProperties: { "^x-": true },
    additionalProperties: false,
  };
}

function only(properties: JsonSchema["properties"] = {}, names: ReadonlySet<string>) {
  return Object.fromEntries(Object.entries(properties).filter(([name]) => names.has(name)));
}

/** The secrets of a step that shares its container with others: none has a path of its own. */
function withoutTarget(secrets: JsonSchema = {}): JsonSchema {
  const { anyOf, items, properties } = secrets;
  const { target: _, ...kept } = properties ?? {};
  return {
    ...secrets,
    ...(anyOf && { anyOf: anyOf.map(withoutTarget) }),
    ...(items && { items: withoutTarget(items) }),
    ...(properties && { properties: kept }),
  };
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
