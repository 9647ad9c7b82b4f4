import { UsageError } from "../failure.js";
import { printableLine } from "../printable.js";
import { FUNCTIONS } from "./functions.js";
import { type Operand, type Pipeline, parseTemplate, type TemplateNode } from "./parse.js";
import { fieldOf, isTrue, toText } from "./values.js";

/** What the actions of a template see. */
interface Scope {
  readonly dot: unknown;
  /** By name; `$` alone, with the empty name, is the whole data. */
  readonly variables: ReadonlyMap<string, unknown>;
}

/**
 * Prepares a template: the part of Go's templates that users of docker know. The README of the command lists
 * it. A field is found whatever its case.
 *
 * @returns what fills the template with data: JSON values. Control characters in the data are escaped.
 * @throws UsageError for a template that is not valid, then or when it is filled.
 * @example
 * compileTemplate("{{.ID}}: {{json .labels}}")({ id: "a", labels: {} }); // "a: {}"
 */
export function compileTemplate(template: string): (data: unknown) => string {
  const nodes = parseTemplate(template);
  checkFunctions(nodes);
  return (data) => renderAll(nodes, { dot: data, variables: new Map([["", data]]) });
}

function renderAll(nodes: readonly TemplateNode[], outer: Scope): string {
  let scope = outer;
  let text = "";
  for (const node of nodes) {
    if (node.kind === "text") text += node.text;
    else if (node.kind === "print") {
      const value = pipelineValue(node.value, scope);
      const [name] = node.value.variables;
      if (name === undefined) text += shown(value);
      else scope = withVariables(scope, [[name, value]]);
    } else text += renderBlock(node, scope);
  }
  return text;
}

function renderBlock(node: Exclude<TemplateNode, { kind: "text" | "print" }>, scope: Scope): string {
  const { kind, body, otherwise } = node;
  const value = pipelineValue(node.value, scope);
  if (!isTrue(value)) return renderAll(otherwise, scope);
  const [first, second] = node.value.variables;
  if (kind === "range")
    return entriesOf(value)
      .map(([key, each]) => {
        const set: [string, unknown][] =
          first === undefined
            ? []
            : second === undefined
              ? [[first, each]]
              : [
                  [first, key],
                  [second, each],
                ];
        return renderAll(body, { ...withVariables(scope, set), dot: each });
      })
      .join("");
  const inner = first === undefined ? scope : withVariables(scope, [[first, value]]);
  return renderAll(body, kind === "with" ? { ...inner, dot: value } : inner);
}

/** The elements of a list, or the values of a map in the order of its keys, as in Go. */
function entriesOf(value: unknown): readonly (readonly [string | number, unknown])[] {
  if (Array.isArray(value)) return value.map((each, at) => [at, each] as const);
  if (typeof value === "object" && value !== null)
    return Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  throw new UsageError(`--format: range: ${toText(value)} is neither a list nor a map; allowed: those`);
}

function withVariables({ dot, variables }: Scope, set: readonly (readonly [string, unknown])[]): Scope {
  return { dot, variables: new Map([...variables, ...set]) };
}

function pipelineValue({ commands }: Pipeline, scope: Scope): unknown {
  let value: unknown;
  for (const [at, command] of commands.entries()) value = call(command, scope, at === 0 ? [] : [value]);
  return value;
}

function call([first, ...others]: readonly Operand[], scope: Scope, piped: readonly unknown[]): unknown {
  if (first === undefined) return undefined;
  const values = [...others.map((each) => operandValue(each, scope)), ...piped];
  if (first.kind === "function") return FUNCTIONS[first.name ?? ""]?.(...values);
  const found = operandValue(first, scope);
  // A method, such as docker's `.Label "key"`.
  if (typeof found === "function") return found(...values);
  if (values.length > 0)
    throw new UsageError(
      `--format: a value with other values behind it is not valid; allowed: a function first, such as index .labels "a"`,
    );
  return found;
}

function operandValue(operand: Operand, scope: Scope): unknown {
  const { kind, value, name = "", pipeline, fields } = operand;
  let found: unknown = value;
  if (kind === "dot") found = scope.dot;
  else if (kind === "function") found = FUNCTIONS[name]?.();
  else if (kind === "pipeline") found = pipeline && pipelineValue(pipeline, scope);
  else if (kind === "variable") {
    if (!scope.variables.has(name))
      throw new UsageError(`--format: $${name}: the variable is not set; allowed: one that := or range sets`);
    found = scope.variables.get(name);
  }
  return fields.reduce(fieldOf, found);
}

/** Finds unknown functions also in what is never rendered. */
function checkFunctions(nodes: readonly TemplateNode[]): void {
  for (const node of nodes) {
    if (node.kind === "text") continue;
    checkPipeline(node.value);
    if (node.kind === "print") continue;
    checkFunctions(node.body);
    checkFunctions(node.otherwise);
  }
}

function checkPipeline({ commands }: Pipeline): void {
  for (const { kind, name = "", pipeline } of commands.flat()) {
    if (pipeline !== undefined) checkPipeline(pipeline);
    if (kind === "function" && !Object.hasOwn(FUNCTIONS, name))
      throw new UsageError(
        `--format: ${name} is not a function of these templates; allowed: ${Object.keys(FUNCTIONS).join(", ")}, and if, range, with; a field begins with a dot: .${name}`,
      );
  }
}

/** Lines that the template's own functions make stay lines. */
function shown(value: unknown): string {
  return toText(value)
    .split(/(?<=[\n\t])|(?=[\n\t])/)
    .map(escapeUnlessBlank)
    .join("");
}

function escapeUnlessBlank(text: string): string {
  return text === "\n" || text === "\t" ? text : printableLine(text);
}
