import { UsageError } from "../failure.js";

/** A part of a template: text, or what stands between `{{` and `}}`. */
export type TemplatePart =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "action"; readonly tokens: readonly Token[]; readonly source: string };

/** A word of an action. */
export interface Token {
  readonly kind: "string" | "number" | "field" | "variable" | "word" | "sign";
  /** The value of a string; the name of a field, empty for `.` alone; the name of a variable without `$`. */
  readonly text: string;
  /** Whether a blank stands before it: `.A .B` are two operands, `.A.B` is one. */
  readonly isApart: boolean;
}

const SPELLINGS: readonly (readonly [Token["kind"], RegExp])[] = [
  ["string", /"(?:[^"\\\n]|\\.)*"|`[^`]*`/y],
  ["number", /-?\d+(?:\.\d+)?/y],
  ["field", /\.[\p{L}_][\p{L}\p{N}_]*|\./uy],
  ["variable", /\$[\p{L}\p{N}_]*/uy],
  ["word", /[\p{L}_][\p{L}\p{N}_]*/uy],
  ["sign", /:=|[|(),=]/y],
];

/**
 * Splits a template into its parts. `{{-` and `-}}` remove the blanks beside them, as in Go. Comments are
 * left out.
 *
 * @throws UsageError that shows the action which is not valid.
 */
export function splitTemplate(template: string): TemplatePart[] {
  const parts: TemplatePart[] = [];
  let at = 0;
  let trimsNext = false;
  while (at < template.length) {
    const start = template.indexOf("{{", at);
    const raw = template.slice(at, start === -1 ? undefined : start);
    const trimsBefore = start !== -1 && /^\{\{-\s/.test(template.slice(start, start + 4));
    let text = trimsNext ? raw.trimStart() : raw;
    if (trimsBefore) text = text.trimEnd();
    if (text !== "") parts.push({ kind: "text", text });
    if (start === -1) break;
    const { tokens, end } = readAction(template, start, trimsBefore);
    const source = template.slice(start, end);
    trimsNext = /\s-\}\}$/.test(source);
    if (tokens !== undefined) parts.push({ kind: "action", tokens, source });
    at = end;
  }
  return parts;
}

/** Reads an action. A comment has no tokens. */
function readAction(
  template: string,
  start: number,
  trimsBefore: boolean,
): { readonly tokens: Token[] | undefined; readonly end: number } {
  let at = start + (trimsBefore ? 3 : 2);
  const comment = /\s*\/\*[\s\S]*?\*\/\s*-?\}\}/y;
  comment.lastIndex = at;
  if (comment.test(template)) return { tokens: undefined, end: comment.lastIndex };
  const tokens: Token[] = [];
  for (;;) {
    const blank = /\s*/y;
    blank.lastIndex = at;
    blank.test(template);
    const isApart = blank.lastIndex > at;
    at = blank.lastIndex;
    const close = isApart && template.startsWith("-}}", at) ? 3 : template.startsWith("}}", at) ? 2 : 0;
    if (close > 0) return { tokens, end: at + close };
    if (at >= template.length)
      throw new UsageError(
        `--format: ${template.slice(start)} has no end; allowed: a template such as '{{.ID}}'`,
      );
    const token = readToken(template, at, isApart);
    if (token === undefined)
      throw new UsageError(
        `--format: ${template.slice(start, at + 1)}: the last character is not valid here; allowed: a template such as '{{.ID}}'`,
      );
    tokens.push(token.token);
    at = token.end;
  }
}

function readToken(
  template: string,
  at: number,
  isApart: boolean,
): { readonly token: Token; readonly end: number } | undefined {
  for (const [kind, spelling] of SPELLINGS) {
    spelling.lastIndex = at;
    const found = spelling.exec(template)?.[0];
    if (found !== undefined)
      return { token: { kind, text: textOf(kind, found), isApart }, end: at + found.length };
  }
  return undefined;
}

function textOf(kind: Token["kind"], found: string): string {
  if (kind === "field" || kind === "variable") return found.slice(1);
  if (kind !== "string") return found;
  if (found.startsWith("`")) return found.slice(1, -1);
  return readEscapes(found.slice(1, -1));
}

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r" };

/** Reads the escapes of a Go string that are used: `\n`, `\t`, `\r`, `\"`, `\\`. */
function readEscapes(text: string): string {
  return text.replace(/\\(.)/gs, (_, sign: string) => ESCAPES[sign] ?? sign);
}
