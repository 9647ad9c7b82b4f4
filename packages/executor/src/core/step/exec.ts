import { ExecutorError, type StepIssue } from "../../error.js";
import { toSnakeCase } from "../units/name-case.js";
import { parseStep } from "./parse-step.js";
import { STEP_FIELDS } from "./schema.js";
import { lineOf } from "./spelling.js";
import type { StepConfig } from "./step.js";
import type { StepInput } from "./step-input.js";

/** The fields of a further process in a step's container: those of a step that do not make a container. */
export interface ExecFields
  extends Pick<
    StepInput,
    | "run"
    | "shell"
    | "command"
    | "args"
    | "env"
    | "workingDir"
    | "user"
    | "groupAdd"
    | "timeout"
    | "timeoutMs"
    | "stopSignal"
    | "stopGrace"
    | "stopGraceMs"
    | "maxLogBytes"
    | "onLogLimit"
  > {
  /**
   * Name of the process in its result.
   *
   * @default the step's name
   */
  readonly name?: string | undefined;
}

const FIELDS: Readonly<Record<keyof ExecFields, true>> = {
  name: true,
  run: true,
  shell: true,
  command: true,
  args: true,
  env: true,
  workingDir: true,
  user: true,
  groupAdd: true,
  timeout: true,
  timeoutMs: true,
  stopSignal: true,
  stopGrace: true,
  stopGraceMs: true,
  maxLogBytes: true,
  onLogLimit: true,
};
/** The names of these fields in step files. */
export const EXEC_FIELDS: ReadonlySet<string> = new Set(Object.keys(FIELDS).map(toSnakeCase));
const ALLOWED = Object.keys(FIELDS).join(", ");

/**
 * Checks a further process of a step. Fields are spelled and checked as those of a step.
 *
 * @param step the step in whose container it runs.
 * @returns a step with its fields, and the defaults of all others.
 * @throws ExecutorError `invalid-step`, with an issue for everything that is wrong.
 */
export function parseExec(input: unknown, { name, image }: Pick<StepConfig, "name" | "image">): StepConfig {
  const given = typeof input === "object" && input !== null && !Array.isArray(input) ? input : undefined;
  if (given === undefined)
    throw invalidProcess([{ field: "process", message: "is not a map", allowed: ALLOWED }]);
  const fixed = Object.entries(given).flatMap(([field, value]): StepIssue[] => {
    const known = toSnakeCase(field);
    if (value === undefined || EXEC_FIELDS.has(known) || !Object.hasOwn(STEP_FIELDS, known)) return [];
    return [{ field, message: "belongs to the container, which is made already", allowed: ALLOWED }];
  });
  if (fixed.length > 0) throw invalidProcess(fixed);
  const step = parseStep({ name, image, ...given });
  if (step.command === undefined)
    throw invalidProcess([
      {
        field: "command",
        message: "is missing; the image's own program is not started a second time",
        allowed: 'command or run; example: command: ["ls", "-l"]',
      },
    ]);
  return step;
}

function invalidProcess(issues: readonly StepIssue[]): ExecutorError {
  return new ExecutorError(`the process is not valid: ${issues.map(lineOf).join("; ")}`, {
    kind: "invalid-step",
    issues,
  });
}
