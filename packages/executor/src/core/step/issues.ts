import { closest, distance } from "fastest-levenshtein";
import type { z } from "zod";
import type { StepIssue } from "../../error.js";
import { toSnakeCase } from "../units/name-case.js";
import { fieldNamesAt } from "./json-schema.js";

/**
 * Turns one of zod's issues into our own, in plain words. It names fields in snake_case.
 *
 * @param input the step, in which the issue's path leads to the value that it is about
 */
export function toIssues(issue: z.core.$ZodIssue, input: unknown): StepIssue[] {
  const field = fieldName(issue.path);
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      field: field === "" ? key : `${field}.${key}`,
      message: `is an unknown field${suggestion(key, issue.path)}`,
      // A step itself has too many fields to list.
      ...(issue.path.length > 0 && { allowed: fieldNamesAt(issue.path).join(", ") }),
    }));
  }
  if (issue.code === "invalid_key") {
    return issue.issues.flatMap((inner) => toIssues({ ...inner, path: issue.path }, input));
  }
  const alternatives = issue.code === "invalid_union" ? issue.errors : [];
  // Of several accepted forms, the one that matched furthest tells best what is wrong.
  const furthest = alternatives.toSorted((a, b) => highestRank(b) - highestRank(a))[0] ?? [];
  if (highestRank(furthest) > 0) {
    return furthest.flatMap((inner) => toIssues({ ...inner, path: [...issue.path, ...inner.path] }, input));
  }
  return [
    {
      field: field === "" ? "step" : field,
      ...explain(issue, alternatives.flat(), valueAt(input, issue.path)),
    },
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
    ? `${(typeof value === "string" ? JSON.stringify(value) : String(value)).slice(0, 80)} `
    : "";
  if (issue.code === "invalid_value")
    return { message: `${shown}is not allowed`, allowed: issue.values.map(String).join(", ") };
  if (issue.code === "too_small" && Array.isArray(value))
    return { message: "is empty", allowed: `${issue.minimum} or more entries` };
  if (issue.code === "too_small")
    return { message: `${shown}is too small`, allowed: `${issue.minimum} or more` };
  if (issue.code === "too_big") return { message: `${shown}is too large`, allowed: `up to ${issue.maximum}` };
  const expected = [issue, ...alternatives].flatMap((each) =>
    each.code === "invalid_type" ? [TYPES[each.expected] ?? each.expected] : [],
  );
  if (expected.length === 0) return { message: issue.message };
  return {
    message: value === null ? "has no value" : `${shown}is ${typeName(value)}`,
    allowed: [...new Set(expected)].join(", or "),
  };
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

function highestRank(issues: readonly z.core.$ZodIssue[]): number {
  return Math.max(0, ...issues.map(rank));
}

function rank(issue: z.core.$ZodIssue): number {
  if (issue.code === "custom") return 3;
  return issue.code === "invalid_type" && issue.path.length === 0 ? 0 : 1 + issue.path.length;
}

function fieldName(path: readonly PropertyKey[]): string {
  return path
    .map((part, at) => (typeof part === "number" ? `[${part}]` : `${at === 0 ? "" : "."}${String(part)}`))
    .join("");
}

/** Names that other tools use for a step's fields, and fields that only other tools have. */
const FOREIGN: Readonly<Record<string, string>> = {
  entrypoint: "did you mean command?",
  cmd: "did you mean args?",
  environment: "did you mean env?",
  script: "did you mean run?",
  commands: "did you mean run? It takes one command a line",
  mounts: "did you mean volumes?",
  cpus: "did you mean cpu?",
  mem_limit: "did you mean memory?",
  "working-directory": "did you mean working_dir?",
  "timeout-minutes": "did you mean timeout, for example timeout: 5m?",
  uses: "a step cannot run GitHub's actions; give an image and a script in run",
  with: "a step cannot run GitHub's actions; give the values in env",
  if: "a step runs when the step before it has succeeded; put a condition into the script",
  retries: "did you mean retry, for example retry: { attempts: 3 }?",
  ports: "a step cannot publish ports; with network: bridge the step has its own address",
  depends_on: "steps run in the order of the file; leave the field out",
  needs: "steps run in the order of the file; leave the field out",
};

/** @param path where the key is: empty for a field of the step itself */
function suggestion(key: string, path: readonly PropertyKey[]): string {
  const known = fieldNamesAt(path);
  const foreign = path.length === 0 && Object.hasOwn(FOREIGN, key) ? FOREIGN[key] : undefined;
  if (foreign !== undefined) return `; ${foreign}`;
  const name = /[a-z]/.test(key) ? toSnakeCase(key) : key.toLowerCase();
  const nearest = closest(name, known);
  return nearest !== "" && distance(name, nearest) <= Math.max(2, key.length / 3)
    ? `; did you mean ${nearest}?`
    : "";
}
