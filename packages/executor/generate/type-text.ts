import { alternatives, type JsonSchema } from "../src/core/step/json-schema.js";

/** Returns the TypeScript type of what a JSON Schema accepts. It is only read, so lists may be constant. */
function typeText(schema: JsonSchema): string {
  if (schema.anyOf !== undefined) return union(alternatives(schema).map(typeText));
  if (Array.isArray(schema.type)) return union(schema.type);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum !== undefined) return union(schema.enum.map((value) => JSON.stringify(value)));
  switch (schema.type) {
    case "array":
      return `readonly ${inBrackets(typeText(schema.items ?? {}))}[]`;
    case "object":
      return objectText(schema);
    case "integer":
      return "number";
    default:
      return typeof schema.type === "string" ? schema.type : "unknown";
  }
}

/** Returns a doc comment, in lines of at most 110 columns. */
export function commentText(lines: readonly string[], indent: string): string {
  const wrapped = lines.flatMap((line) => wrap(line, 110 - indent.length - 3));
  return wrapped.length === 1 && indent.length + wrapped.join().length + 7 <= 110
    ? `${indent}/** ${wrapped[0]} */`
    : [`${indent}/**`, ...wrapped.map((line) => `${indent} * ${line}`.trimEnd()), `${indent} */`].join("\n");
}

function objectText({ properties = {}, required = [], additionalProperties }: JsonSchema): string {
  const record =
    typeof additionalProperties === "object"
      ? `Readonly<Record<string, ${typeText(additionalProperties)}>>`
      : undefined;
  if (Object.keys(properties).length === 0) return record ?? "object";
  const lines = Object.entries(properties).flatMap(([name, property]) => [
    ...(property.description === undefined ? [] : [commentText([property.description], "")]),
    propertyText(name, property, required.includes(name)),
  ]);
  const fields = `{\n${lines.join("\n").replaceAll(/^/gm, "  ")}\n}`;
  return record === undefined ? fields : `${fields} & ${record}`;
}

/** Returns one property of an interface. */
export function propertyText(name: string, schema: JsonSchema, isRequired: boolean): string {
  const type = typeText(schema);
  return isRequired ? `readonly ${name}: ${type};` : `readonly ${name}?: ${type} | undefined;`;
}

/** A text includes every literal text, and a number every literal number. */
function union(types: readonly string[]): string {
  const wider = (type: string): string =>
    type.startsWith('"') ? "string" : /^-?\d/.test(type) ? "number" : type;
  const all = [...new Set(types)];
  return all.filter((type) => wider(type) === type || !all.includes(wider(type))).join(" | ");
}

function inBrackets(type: string): string {
  return type.includes(" | ") || type.includes("\n") ? `(${type})` : type;
}

function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = "";
  // A part between backticks is one word.
  for (const word of text.match(/(?:`[^`]*`|\S)+/g) ?? []) {
    if (line !== "" && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
