import { ExecutorError } from "../../error.js";
import { differingFields, type StepRecord } from "./step-record.js";

/** Which attempt of which step of which run a start is. */
export interface RunAttempt {
  readonly runId: string;
  readonly key: string;
  readonly attempt: number;
}

const LONGEST = 256;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused.
const CONTROL = /[\u0000-\u001f\u007f]/;

/**
 * Checks how a start names its attempt.
 *
 * @throws ExecutorError `invalid-argument`.
 */
export function checkAttempt({ runId, key, attempt }: RunAttempt): void {
  for (const [name, value] of Object.entries({ runId, key }))
    if (typeof value !== "string" || value === "" || value.length > LONGEST || CONTROL.test(value))
      refuse(
        name,
        `${show(value)} cannot name a run`,
        `1 to ${LONGEST} characters, none of them a control character; example: build-7`,
      );
  if (!Number.isSafeInteger(attempt) || attempt < 1)
    refuse(
      "attempt",
      `${JSON.stringify(attempt)} is not a number of an attempt`,
      "a whole number, 1 or more",
    );
}

/** A program without types may give anything. */
function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  return typeof value === "number" ? String(value) : `a value of type ${typeof value}`;
}

function refuse(name: string, problem: string, allowed: string): never {
  throw new ExecutorError(`start: ${name}: ${problem}; allowed: ${allowed}`, { kind: "invalid-argument" });
}

/**
 * Refuses a start under the name of another step.
 *
 * @throws ExecutorError `refused` that names the fields that differ.
 */
export function refuseOtherStep(
  found: StepRecord["run"],
  { runId, key, attempt, fields }: NonNullable<StepRecord["run"]>,
): void {
  const differing = differingFields(found?.fields ?? {}, fields);
  if (differing.length === 0) return;
  const problem = `attempt ${attempt} of ${JSON.stringify(key)} in ${JSON.stringify(runId)} was started with another step; these fields differ: ${differing.join(", ")}`;
  const allowed = "the same step, or another runId, key or attempt";
  throw new ExecutorError(`runId: ${problem}; allowed: ${allowed}`, {
    kind: "refused",
    issues: [{ field: "runId", message: problem, allowed }],
  });
}
