import type { StepField } from "../src/core/step/declaration.js";
import { type JsonSchema, stepJsonSchema } from "../src/core/step/json-schema.js";
import { STEP_FIELDS } from "../src/core/step/schema.js";
import { toCamelCase } from "../src/core/units/name-case.js";
import { camelNames } from "./camel-names.js";
import { commentText, propertyText } from "./type-text.js";

/** Returns the source of `step-input.ts`: the type of a step in a program, with a comment on each field. */
export function stepInputText(): string {
  const { properties = {}, required = [] } = stepJsonSchema() as JsonSchema;
  const fields = Object.entries(STEP_FIELDS).map(([name, field]) => {
    const property = propertyText(toCamelCase(name), properties[name] ?? {}, required.includes(name));
    return `${commentText(commentOf(field), "  ")}\n${property.replaceAll(/^/gm, "  ")}`;
  });
  return `// Written by \`npm run generate\` from the declarations of the fields. Do not edit it.

/**
 * A step as written in TypeScript. A step file has the same fields in snake_case.
 */
export interface StepInput {
${fields.join("\n")}
}
`;
}

function commentOf({ summary, details, default: standard, examples = [], policy = [] }: StepField): string[] {
  const keys = policy.map((key) => `\`${key}\``).join(" and ");
  return [
    camelNames(details === undefined ? `${summary}.` : `${summary}. ${details}`),
    ...(keys === "" ? [] : ["", `Limited by the policy's ${keys}.`]),
    ...(standard === undefined ? [] : ["", `@default ${camelNames(standard)}`]),
    ...(examples.length === 0 ? [] : ["", ...examples.map((example) => `@example ${valueText(example)}`)]),
  ];
}

/** Returns a value as TypeScript, in one line. */
function valueText(value: unknown): string {
  return JSON.stringify(value, undefined, 1)
    .replaceAll(/\n */g, " ")
    .replaceAll(/\[ | \]/g, (bracket) => bracket.trim())
    .replaceAll(/"([A-Za-z_]\w*)":/g, "$1:");
}
