import { ExecutorError, type StepIssue } from "../../error.js";
import { toSnakeCase } from "../units/name-case.js";
import { parseStep } from "./parse-step.js";
import { STEP_FIELDS } from "./schema.js";
import { SECRETS_VARIABLE } from "./secret.js";
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
const OF_PROCESS = Object.keys(FIELDS);
const OF_SESSION_STEP = [...OF_PROCESS, "secrets"];
/** The names of a session step's fields in step files. */
export const SESSION_STEP_FIELDS: ReadonlySet<string> = new Set(OF_SESSION_STEP.map(toSnakeCase));

/**
 * Checks a further process of a step. Fields are spelled and checked as those of a step.
 *
 * @param step the step in whose container it runs.
 * @param isSession whether that container is a session's.
 * @returns a step with its fields, and the defaults of all others.
 * @throws ExecutorError `invalid-step`, with an issue for everything that is wrong.
 */
export function parseExec(
  input: unknown,
  { name, image }: Pick<StepConfig, "name" | "image">,
  isSession: boolean,
): StepConfig {
  const fields = isSession ? OF_SESSION_STEP : OF_PROCESS;
  const inFiles = fields.map(toSnakeCase);
  const allowed = fields.join(", ");
  const given = typeof input === "object" && input !== null && !Array.isArray(input) ? input : undefined;
  if (given === undefined) throw invalidProcess([{ field: "process", message: "is not a map", allowed }]);
  const fixed = Object.entries(given).flatMap(([field, value]): StepIssue[] => {
    const known = toSnakeCase(field);
    if (value === undefined || inFiles.includes(known) || !Object.hasOwn(STEP_FIELDS, known)) return [];
    return [{ field, message: "belongs to the container, which is made already", allowed }];
  });
  const targets = isSession ? secretTargetIssues(given) : [];
  if (fixed.length + targets.length > 0) throw invalidProcess([...fixed, ...targets]);
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

/**
 * What is wrong with the secrets of a session's step, besides what is wrong in any step. Steps of a session
 * may run at the same time, so each has a directory of its own for its secrets.
 */
export function secretTargetIssues({ secrets }: { readonly secrets?: unknown }): StepIssue[] {
  if (!Array.isArray(secrets)) return [];
  return secrets.flatMap((secret: unknown, index): StepIssue[] => {
    const target = typeof secret === "object" && secret !== null && "target" in secret && secret.target;
    if (target === false || target === undefined || target === null) return [];
    const allowed = `no target: the file is $${SECRETS_VARIABLE}/NAME`;
    return [{ field: `secrets[${index}].target`, message: "cannot be chosen in a session", allowed }];
  });
}

function invalidProcess(issues: readonly StepIssue[]): ExecutorError {
  return new ExecutorError(`the process is not valid: ${issues.map(lineOf).join("; ")}`, {
    kind: "invalid-step",
    issues,
  });
}
