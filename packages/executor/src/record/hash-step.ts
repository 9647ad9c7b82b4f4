import { createHash } from "node:crypto";
import type { WorkflowData } from "../core/output/workflow-data.js";
import type { StepConfig } from "../core/step/step.js";
import { toSnakeCase } from "../core/units/name-case.js";

/** They say where a step runs, and how its image is reached, and not what it is. */
const LEFT_OUT = new Set(["containerdAddr", "tls", "registryAuth", "pull"]);
const HASH_LENGTH = 10;

/** A short hash of each field of a step, so that another process can tell which of them differ. */
export function hashStep(
  { command, script, programField, ...step }: StepConfig,
  data: WorkflowData,
): Record<string, string> {
  const program = { [programField === "command" ? "command" : "run"]: [command, script, programField] };
  const fields = Object.entries({ ...step, ...program, data }).filter(
    ([name, value]) => value !== undefined && !LEFT_OUT.has(name),
  );
  return Object.fromEntries(
    fields.map(([name, value]) => [
      toSnakeCase(name),
      createHash("sha256").update(canonical(value)).digest("hex").slice(0, HASH_LENGTH),
    ]),
  );
}

/** JSON with the members of each object in order. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) =>
    typeof member === "object" && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : typeof member === "bigint"
        ? `${member}n`
        : member,
  );
}
