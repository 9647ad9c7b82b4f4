import { closest, distance } from "fastest-levenshtein";
import type { z } from "zod";
import { ExecutorError, type Issue } from "../error.js";
import { stepSchema } from "./step-schema.js";

/** A field's name as whoever wrote the step spelt it. */
export type Spelling = (field: string) => string;

/** Step files are written in snake_case, programs in camelCase; each is taken, and errors speak the language of the input. */
export function toSnakeCase(input: unknown): { value: unknown; spelling: Spelling; issues: Issue[] } {
  const written = new Map<string, string>();
  const issues: Issue[] = [];
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

export function toIssues(issue: z.core.$ZodIssue, spelling: Spelling): Issue[] {
  const field = fieldName(issue.path, spelling);
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      field: field === "" ? key : `${field}.${key}`,
      message: `there is no such field${issue.path.length === 0 ? suggestion(key) : ""}`,
    }));
  }
  if (issue.code === "invalid_union") {
    // Of several forms, the one that came furthest says best what is wrong.
    const deepest = issue.errors.flat().toSorted((a, b) => rank(b) - rank(a))[0];
    if (deepest !== undefined && rank(deepest) > 0) {
      return toIssues({ ...deepest, path: [...issue.path, ...deepest.path] }, spelling);
    }
    return [{ field, message: issue.message }];
  }
  const allowed = issue.code === "custom" ? (issue.params?.["allowed"] as string | undefined) : undefined;
  return [
    {
      field: field === "" ? "step" : field,
      message: issue.message,
      ...(allowed !== undefined && { allowed }),
    },
  ];
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

function suggestion(key: string): string {
  const known = Object.keys(stepSchema.shape);
  const nearest = closest(key.toLowerCase(), known);
  return distance(key.toLowerCase(), nearest) <= Math.max(2, key.length / 3)
    ? `; did you mean ${nearest}?`
    : "";
}

export function invalidStep(issues: readonly Issue[]): ExecutorError {
  const lines = issues.map(
    ({ field, message, allowed }) =>
      `${field}: ${message}${allowed === undefined ? "" : `; allowed: ${allowed}`}`,
  );
  const head =
    lines.length === 1 ? "the step is not valid" : `the step is not valid, in ${lines.length} places`;
  return new ExecutorError(`${head}: ${lines.join("; ")}`, { kind: "invalid-step", issues });
}
