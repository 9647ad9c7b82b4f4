import { UsageError } from "../failure.js";
import { splitTemplate, type TemplatePart, type Token } from "./tokens.js";

/** A parsed template. */
export type TemplateNode =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "print"; readonly value: Pipeline }
  | {
      readonly kind: "if" | "with" | "range";
      readonly value: Pipeline;
      readonly body: readonly TemplateNode[];
      readonly otherwise: readonly TemplateNode[];
    };

/** Commands, each of which gets the value of the one before as its last argument. */
export interface Pipeline {
  /** The variables that it sets: `$v :=`, or in a range `$i, $v :=`. */
  readonly variables: readonly string[];
  readonly commands: readonly (readonly Operand[])[];
}

/** A value in an action, with the fields that are read from it. */
export interface Operand {
  readonly kind: "literal" | "dot" | "variable" | "function" | "pipeline";
  readonly value?: string | number | boolean | null;
  readonly name?: string;
  readonly pipeline?: Pipeline;
  readonly fields: readonly string[];
}

/** Deeper nesting has no use, and would overflow the stack. */
const MAX_DEPTH = 50;
const LITERALS: Readonly<Record<string, boolean | null>> = { true: true, false: false, nil: null };
const KEYWORDS = ["if", "range", "with"];

/**
 * Parses a Go template: the part of it that users of docker know.
 *
 * @throws UsageError that shows the action which is not valid.
 */
export function parseTemplate(template: string): TemplateNode[] {
  const parts = splitTemplate(template);
  const { nodes, end } = parseBody(parts, 0, 0);
  const extra = parts[end];
  if (extra?.kind === "action") fail(extra.source, "it closes nothing", "after if, range or with");
  return nodes;
}

function parseBody(
  parts: readonly TemplatePart[],
  start: number,
  depth: number,
): { readonly nodes: TemplateNode[]; readonly end: number } {
  const nodes: TemplateNode[] = [];
  let at = start;
  for (let part = parts[at]; part !== undefined; part = parts[at]) {
    if (part.kind === "text") {
      nodes.push(part);
      at++;
      continue;
    }
    const word = keyword(part.tokens);
    if (word === "end" || word === "else") break;
    if (word === undefined || !KEYWORDS.includes(word)) {
      nodes.push({ kind: "print", value: new PipelineParser(part.tokens, part.source).whole() });
      at++;
      continue;
    }
    const block = parseBlock(parts, at, word as "if" | "with" | "range", part.tokens.slice(1), depth + 1);
    nodes.push(block.node);
    at = block.end;
  }
  return { nodes, end: at };
}

function parseBlock(
  parts: readonly TemplatePart[],
  start: number,
  kind: "if" | "with" | "range",
  tokens: readonly Token[],
  depth: number,
): { readonly node: TemplateNode; readonly end: number } {
  const source = sourceOf(parts[start]);
  if (depth > MAX_DEPTH) fail(source, "it is nested too deep", `${MAX_DEPTH} levels`);
  const value = new PipelineParser(tokens, source).whole();
  const { nodes: body, end } = parseBody(parts, start + 1, depth);
  const after = parts[end];
  if (after?.kind !== "action") fail(source, "its end is missing", "{{end}} after it");
  if (keyword(after.tokens) === "end") return { node: { kind, value, body, otherwise: [] }, end: end + 1 };
  // `{{else if X}}` is an `if` within the `else`, and both have one `{{end}}`.
  const [, inner, ...rest] = after.tokens;
  if (inner !== undefined) {
    if (inner.text !== "if" || kind !== "if")
      fail(after.source, "it is not valid", "{{else}}, {{else if X}}");
    const nested = parseBlock(parts, end, "if", rest, depth + 1);
    return { node: { kind, value, body, otherwise: [nested.node] }, end: nested.end };
  }
  const otherwise = parseBody(parts, end + 1, depth);
  const last = parts[otherwise.end];
  if (last?.kind !== "action" || keyword(last.tokens) !== "end")
    fail(source, "its end is missing", "{{end}} after it");
  return { node: { kind, value, body, otherwise: otherwise.nodes }, end: otherwise.end + 1 };
}

class PipelineParser {
  readonly #tokens: readonly Token[];
  readonly #source: string;
  #at = 0;
  #depth = 0;

  constructor(tokens: readonly Token[], source: string) {
    this.#tokens = tokens;
    this.#source = source;
  }

  whole(): Pipeline {
    const pipeline = this.#pipeline();
    const extra = this.#tokens[this.#at];
    if (extra !== undefined) this.#fail(`${JSON.stringify(extra.text)} is not valid here`);
    return pipeline;
  }

  #pipeline(): Pipeline {
    if (++this.#depth > MAX_DEPTH) this.#fail("it is nested too deep");
    const variables = this.#variables();
    const commands = [this.#command()];
    while (this.#take("|")) commands.push(this.#command());
    this.#depth--;
    return { variables, commands };
  }

  #variables(): string[] {
    const [first, sign, second, last] = this.#tokens.slice(this.#at, this.#at + 4);
    if (first?.kind !== "variable") return [];
    if (sign?.text === ":=" || sign?.text === "=") {
      this.#at += 2;
      return [first.text];
    }
    if (sign?.text !== "," || second?.kind !== "variable" || last?.text !== ":=") return [];
    this.#at += 4;
    return [first.text, second.text];
  }

  #command(): Operand[] {
    const operands: Operand[] = [];
    for (let operand = this.#operand(); operand !== undefined; operand = this.#operand())
      operands.push(operand);
    if (operands.length === 0) this.#fail("a value is missing");
    return operands;
  }

  #operand(): Operand | undefined {
    const token = this.#tokens[this.#at];
    if (token === undefined || (token.kind === "sign" && token.text !== "(")) return undefined;
    this.#at++;
    if (token.kind === "sign") {
      const pipeline = this.#pipeline();
      if (!this.#take(")")) this.#fail("a closing parenthesis is missing");
      return { kind: "pipeline", pipeline, fields: this.#fields() };
    }
    if (token.kind === "field") {
      const first = token.text === "" ? [] : [token.text];
      return { kind: "dot", fields: [...first, ...this.#fields()] };
    }
    if (token.kind === "variable") return { kind: "variable", name: token.text, fields: this.#fields() };
    if (token.kind === "string") return { kind: "literal", value: token.text, fields: [] };
    if (token.kind === "number") return { kind: "literal", value: Number(token.text), fields: [] };
    if (Object.hasOwn(LITERALS, token.text))
      return { kind: "literal", value: LITERALS[token.text] ?? null, fields: [] };
    return { kind: "function", name: token.text, fields: [] };
  }

  #fields(): string[] {
    const fields: string[] = [];
    for (;;) {
      const token = this.#tokens[this.#at];
      if (token?.kind !== "field" || token.isApart || token.text === "") return fields;
      fields.push(token.text);
      this.#at++;
    }
  }

  #take(sign: string): boolean {
    const token = this.#tokens[this.#at];
    const isIt = token?.kind === "sign" && token.text === sign;
    if (isIt) this.#at++;
    return isIt;
  }

  #fail(problem: string): never {
    return fail(this.#source, problem, "a value such as {{.ID}}, or a function and its values");
  }
}

function keyword(tokens: readonly Token[]): string | undefined {
  const [first] = tokens;
  return first?.kind === "word" ? first.text : undefined;
}

function sourceOf(part: TemplatePart | undefined): string {
  return part?.kind === "action" ? part.source : "";
}

function fail(source: string, problem: string, allowed: string): never {
  throw new UsageError(`--format: ${source}: ${problem}; allowed: ${allowed}`);
}
