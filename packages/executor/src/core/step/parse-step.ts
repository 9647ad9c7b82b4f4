import { ExecutorError, type StepIssue } from "../../error.js";
import { toSnakeCase } from "../units/name-case.js";
import { checkTogether } from "./check-together.js";
import { toIssues } from "./issues.js";
import { STEP_FIELDS, stepSchema } from "./schema.js";
import { lineOf, spellIssue, spellingOf } from "./spelling.js";
import type { StepConfig } from "./step.js";
import { toConfig } from "./to-config.js";

/**
 * Checks a step and adds the defaults. This is the only place that checks the fields of a step. It accepts
 * the camelCase of programs and the snake_case of step files, and names each field in errors as it was typed.
 *
 * @example
 * ```ts
 * const step = parseStep({ name: "build", image: "alpine:3.20", run: "make", timeout: "5m" });
 * step.timeoutMs; // 300000
 * ```
 * @throws ExecutorError `invalid-step`, with an issue for everything that is wrong.
 */
export function parseStep(input: unknown): StepConfig {
  const { value, issues } = toFile(input);
  const parsed = stepSchema.safeParse(value);
  const found = parsed.success
    ? checkTogether(parsed.data)
    : parsed.error.issues.flatMap((issue) => toIssues(issue, value));
  const spelling = spellingOf(input);
  const all = [...issues, ...found.map((issue) => spellIssue(issue, spelling))];
  if (all.length > 0 || !parsed.success) throw invalidStep(all);
  return toConfig(parsed.data);
}

/** Returns a step with the names of step files, and an issue for each field that is given in both cases. */
function toFile(input: unknown): { value: unknown; issues: StepIssue[] } {
  if (typeof input !== "object" || input === null || Array.isArray(input))
    return { value: input, issues: [] };
  const typed = new Map<string, string>();
  const issues: StepIssue[] = [];
  const value: Record<string, unknown> = {};
  for (const [key, entry] of Object.entries(input)) {
    if (entry === undefined) continue;
    const snake = toSnakeCase(key);
    const name = Object.hasOwn(STEP_FIELDS, snake) ? snake : key;
    const other = typed.get(name);
    if (other !== undefined)
      issues.push({
        field: key,
        message: `is given together with ${other}`,
        allowed: `only one of ${other} and ${key}`,
      });
    typed.set(name, key);
    // Not an assignment: the key may be __proto__.
    Object.defineProperty(value, name, {
      value: entry,
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return { value, issues };
}

/** Makes one error of all issues. */
function invalidStep(issues: readonly StepIssue[]): ExecutorError {
  const lines = issues.map(lineOf);
  const head =
    lines.length === 1 ? "the step is not valid" : `the step is not valid, in ${lines.length} places`;
  return new ExecutorError(`${head}: ${lines.join("; ")}`, { kind: "invalid-step", issues });
}
