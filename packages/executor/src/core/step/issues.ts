import { closest, distance } from "fastest-levenshtein";
import type { z } from "zod";
import { ExecutorError, type StepIssue } from "../../error.js";
import { stepSchema } from "./schema.js";

/** Returns a field's name as it was spelt in the input. */
export type Spelling = (field: string) => string;

/**
 * Accepts camelCase as well as snake_case: step files use snake_case, programs camelCase. Errors use the
 * spelling of the input.
 *
 * @returns the step in snake_case, the spelling of its fields, and an issue for each field that is given
 * twice
 */
export function toSnakeCase(input: unknown): { value: unknown; spelling: Spelling; issues: StepIssue[] } {
  const written = new Map<string, string>();
  const issues: StepIssue[] = [];
  const spelling: Spelling = (field) => written.get(field) ?? field;
  if (typeof input !== "object" || input === null || Array.isArray(input))
    return { value: input, spelling, issues };
  const value: Record<string, unknown> = {};
  for (const [key, entry] of Object.entries(input)) {
    if (entry === undefined) continue;
    const snake = key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    const field = Object.hasOwn(stepSchema.shape, snake) ? snake : key;
    if (Object.hasOwn(value, field)) {
      issues.push({
        field: key,
        message: `it is given together with ${spelling(field)}`,
        allowed: "one of them",
      });
    }
    written.set(field, key);
    Object.defineProperty(value, field, {
      value: entry,
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return { value, spelling, issues };
}

/**
 * Turns one of zod's issues into our own, in plain words.
 *
 * @param input the step, in which the issue's path leads to the value that it is about
 */
export function toIssues(issue: z.core.$ZodIssue, spelling: Spelling, input: unknown): StepIssue[] {
  const field = fieldName(issue.path, spelling);
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      field: field === "" ? key : `${field}.${key}`,
      message: `there is no such field${issue.path.length === 0 ? suggestion(key) : ""}`,
    }));
  }
  if (issue.code === "invalid_key") {
    return issue.issues.flatMap((inner) => toIssues({ ...inner, path: issue.path }, spelling, input));
  }
  const alternatives = issue.code === "invalid_union" ? issue.errors.flat() : [];
  // Of several accepted forms, the one that matched furthest tells best what is wrong.
  const deepest = alternatives.toSorted((a, b) => rank(b) - rank(a))[0];
  if (deepest !== undefined && rank(deepest) > 0) {
    return toIssues({ ...deepest, path: [...issue.path, ...deepest.path] }, spelling, input);
  }
  return [
    { field: field === "" ? "step" : field, ...explain(issue, alternatives, valueAt(input, issue.path)) },
  ];
}

/** What to give for each required field. */
const REQUIRED: Readonly<Record<string, string>> = {
  image: "image is missing; give the image to run in, for example image: alpine:3.20",
  name: "name is missing; give the step a name, for example name: build",
};

/** Fields whose values may be secrets. No error shows them. */
const PRIVATE = new Set(["env", "registry_auth", "tls"]);

/** Explains zod's own codes in plain words. A `custom` issue already has our words. */
function explain(
  issue: z.core.$ZodIssue,
  alternatives: readonly z.core.$ZodIssue[],
  value: unknown,
): Pick<StepIssue, "message" | "allowed"> {
  if (issue.code === "custom")
    return { message: issue.message, allowed: issue.params?.["allowed"] as string | undefined };
  const name = String(issue.path.at(-1) ?? "");
  if (value === undefined)
    return { message: (issue.path.length === 1 ? REQUIRED[name] : undefined) ?? "is missing" };
  const isShown = typeof value !== "object" && !PRIVATE.has(String(issue.path[0]));
  // Not JSON for the others: a bigint has none.
  const shown = isShown
    ? (typeof value === "string" ? JSON.stringify(value) : String(value)).slice(0, 80)
    : "it";
  if (issue.code === "invalid_value")
    return { message: `${shown} is not allowed`, allowed: issue.values.map(String).join(", ") };
  if (issue.code === "too_small" && Array.isArray(value))
    return { message: "it is empty", allowed: `${issue.minimum} or more entries` };
  if (issue.code === "too_small")
    return { message: `${shown} is too small`, allowed: `${issue.minimum} or more` };
  if (issue.code === "too_big")
    return { message: `${shown} is too large`, allowed: `up to ${issue.maximum}` };
  const expected = [issue, ...alternatives].flatMap((each) =>
    each.code === "invalid_type" ? [TYPES[each.expected] ?? each.expected] : [],
  );
  if (expected.length === 0) return { message: issue.message };
  return { message: `${shown} is ${typeName(value)}`, allowed: [...new Set(expected)].join(", or ") };
}

const TYPES: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  boolean: "true or false",
  array: "a list",
  object: "a map",
  record: "a map",
};

function typeName(value: unknown): string {
  if (value === null) return "no value";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "boolean") return "true or false";
  return TYPES[typeof value] ?? typeof value;
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === "object" && value !== null && Object.hasOwn(value, key)
        ? (value as Record<PropertyKey, unknown>)[key]
        : undefined,
    input,
  );
}

function rank(issue: z.core.$ZodIssue): number {
  if (issue.code === "custom") return 3;
  return issue.code === "invalid_type" && issue.path.length === 0 ? 0 : 1 + issue.path.length;
}

function fieldName(path: readonly PropertyKey[], spelling: Spelling): string {
  return path
    .map((part, at) =>
      typeof part === "number" ? `[${part}]` : at === 0 ? spelling(String(part)) : `.${String(part)}`,
    )
    .join("");
}

/** Names that other tools use for a step's fields, and fields that only other tools have. */
const FOREIGN: Readonly<Record<string, string>> = {
  entrypoint: "did you mean command?",
  cmd: "did you mean args?",
  environment: "did you mean env?",
  script: "did you mean run?",
  commands: "did you mean run, with a command a line?",
  mounts: "did you mean volumes?",
  cpus: "did you mean cpu?",
  mem_limit: "did you mean memory?",
  "working-directory": "did you mean working_dir?",
  "timeout-minutes": "did you mean timeout, for example timeout: 5m?",
  uses: "GitHub's actions do not run here; give an image and a script to run",
  with: "GitHub's actions do not run here; values go into env",
  if: "a step always runs after the one before it has succeeded; put the condition into the script",
  ports: "a step publishes no ports; with network: bridge it has an address of its own",
  depends_on: "steps run in the order of the file",
  needs: "steps run in the order of the file",
};

function suggestion(key: string): string {
  const known = Object.keys(stepSchema.shape);
  const foreign = Object.hasOwn(FOREIGN, key) && !known.includes(key) ? FOREIGN[key] : undefined;
  if (foreign !== undefined) return `; ${foreign}`;
  const nearest = closest(key.toLowerCase(), known);
  return distance(key.toLowerCase(), nearest) <= Math.max(2, key.length / 3)
    ? `; did you mean ${nearest}?`
    : "";
}

/** Makes one error of all issues. */
export function invalidStep(issues: readonly StepIssue[]): ExecutorError {
  const lines = issues.map(
    ({ field, message, allowed }) =>
      `${field}: ${message}${allowed === undefined ? "" : `; allowed: ${allowed}`}`,
  );
  const head =
    lines.length === 1 ? "the step is not valid" : `the step is not valid, in ${lines.length} places`;
  return new ExecutorError(`${head}: ${lines.join("; ")}`, { kind: "invalid-step", issues });
}
