import type { StepRecord } from "../core/recovery/step-record.js";
import { type SecretValues, toSecretBytes } from "../core/step/secret.js";
import { ExecutorError } from "../error.js";

/**
 * The values that are masked in the output of a step that another process has started. Its record has only
 * their names.
 *
 * @param problem what cannot be done without them, as the end of a sentence about the step.
 * @throws ExecutorError `refused` if one is missing: its output is never shown unmasked.
 */
export function maskedValuesOf(
  id: string,
  { secrets }: StepRecord,
  values: SecretValues,
  problem: string,
): Uint8Array[] {
  const names = secrets.filter(({ mask }) => mask).map(({ name }) => name);
  const missing = names.filter((name) => !Object.hasOwn(values, name));
  if (missing.length > 0) {
    const example = missing.map((name) => `${JSON.stringify(name)}: "..."`).join(", ");
    const message = `step ${id} ${problem}, because the values that are masked in its output are missing: ${missing.join(", ")}`;
    const allowed = "the same values as at its start";
    throw new ExecutorError(
      `secrets: ${message}; allowed: ${allowed}; example: { secrets: { ${example} } }`,
      { kind: "refused", issues: [{ field: "secrets", message, allowed }] },
    );
  }
  return names.map((name) => toSecretBytes(values[name] ?? ""));
}
