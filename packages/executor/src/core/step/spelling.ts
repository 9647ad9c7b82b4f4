import { ExecutorError, type StepIssue } from "../../error.js";
import { DEFAULT_POLICY } from "../policy/policy.js";
import { areCamelCase, toCamelCase, toSnakeCase } from "../units/name-case.js";
import { STEP_FIELDS } from "./schema.js";

/** Returns what a field, given in snake_case, is called. */
export type Spelling = (field: string) => string;

/**
 * Finds out how a step spells its fields, so that errors use the words of whoever wrote it: a field as it was
 * typed, any other in the same case. If all names are single words, that is snake_case, as in step files.
 */
export function spellingOf(input: unknown): Spelling {
  const entries = typeof input === "object" && input !== null ? Object.entries(input) : [];
  const names = entries.flatMap(([name, value]) => (value === undefined ? [] : [name]));
  const typed = new Map(names.map((name) => [toSnakeCase(name), name]));
  const isCamel = areCamelCase(names);
  return (field) => typed.get(field) ?? (isCamel ? toCamelCase(field) : field);
}

/**
 * Two or more words in snake_case; or a quoted text, which is the caller's and not ours. A quote may be
 * missing at the end, so that the search takes linear time.
 */
const WORDS = /"[^"]*"?|\b[a-z]+(?:_[a-z]+)+\b/g;

/** Returns one of our texts, which names fields and keys of the policy in snake_case, in a spelling. */
export function spellText(text: string, spelling: Spelling): string {
  return text.replaceAll(WORDS, (words) => (isOurs(words) ? spelling(words) : words));
}

function isOurs(name: string): boolean {
  return Object.hasOwn(STEP_FIELDS, name) || Object.hasOwn(DEFAULT_POLICY, toCamelCase(name));
}

/** Returns an issue that names fields in snake_case, in a spelling. */
export function spellIssue({ field, message, allowed }: StepIssue, spelling: Spelling): StepIssue {
  const [name = ""] = field.split(/[.[]/);
  return {
    field: `${spelling(name)}${field.slice(name.length)}`,
    message: spellText(message, spelling),
    ...(allowed === undefined ? {} : { allowed: spellText(allowed, spelling) }),
  };
}

/** Returns an error about a step, whose issues name fields in snake_case, in a spelling. */
export function spellError(error: ExecutorError, spelling: Spelling): ExecutorError {
  if (error.issues.length === 0) return error;
  const issues = error.issues.map((issue) => spellIssue(issue, spelling));
  const message = error.issues.reduce(
    (text, issue, at) => text.replace(lineOf(issue), () => lineOf(issues[at] ?? issue)),
    error.message,
  );
  return new ExecutorError(message, { kind: error.kind, issues, cause: error.cause });
}

/** Returns an issue as the messages of errors have it. */
export function lineOf({ field, message, allowed }: StepIssue): string {
  return `${field}: ${message}${allowed === undefined ? "" : `; allowed: ${allowed}`}`;
}
