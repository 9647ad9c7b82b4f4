import { isExecutorError, type StepIssue } from "../../error.js";
import { composeScript } from "../plan/script.js";
import { createResources } from "../spec/resources.js";
import { createRlimits } from "../spec/rlimits.js";
import { createSysctls } from "../spec/sysctls.js";
import { directoryOf, isWithin } from "../units/path.js";
import type { StepFile } from "./schema.js";
import { toResourceLimits } from "./to-config.js";

/** Checks what each field allows alone, but not together with others. Names fields in snake_case. */
export function checkTogether(step: StepFile): StepIssue[] {
  return [
    ...checkExclusive(step),
    ...checkShell(step),
    ...checkTls(step),
    ...checkTargets(step),
    ...refusalsOf(() => createResources(toResourceLimits(step), [])),
    ...refusalsOf(() => createRlimits(step.ulimits)),
    ...refusalsOf(() => createSysctls(step.sysctls, { network: step.network })),
  ];
}

/** Fields, and those that may not be given together with them. */
export const EXCLUSIVE = [
  ["run", ["command", "args"]],
  ["timeout", ["timeout_ms"]],
  ["stop_grace", ["stop_grace_ms"]],
] as const;

function checkExclusive(step: StepFile): StepIssue[] {
  return EXCLUSIVE.flatMap(([one, others]) =>
    others
      .filter((other) => step[one] !== undefined && step[other] !== undefined)
      .map((other) => ({
        field: one,
        message: `is given together with ${other}`,
        allowed: `only one of ${one} and ${other}`,
      })),
  );
}

function checkShell({ run, shell }: StepFile): StepIssue[] {
  if (run !== undefined) return refusalsOf(() => composeScript(run, shell));
  if (shell === undefined) return [];
  return [
    {
      field: "shell",
      message: "is given without run",
      allowed: "shell together with run; example: shell: bash, run: make",
    },
  ];
}

function checkTls(step: StepFile): StepIssue[] {
  if (step.tls === undefined || step.containerd_addr !== undefined) return [];
  return [
    {
      field: "tls",
      message: "is given without containerd_addr",
      allowed: "tls together with containerd_addr; the operator sets how the executor reaches its own daemon",
    },
  ];
}

/** Each target in the container may be used once. */
function checkTargets(step: StepFile): StepIssue[] {
  const seen = new Set<string>();
  const issues: StepIssue[] = [];
  for (const field of ["volumes", "caches", "tmpfs", "secrets"] as const) {
    for (const { target } of step[field]) {
      if (seen.has(target))
        issues.push({
          field,
          message: `two mounts have the target ${target}`,
          allowed: "a target for each mount",
        });
      seen.add(target);
    }
  }
  return [...issues, ...checkSecretDirectories(step)];
}

/**
 * A mount above a secret would hide it, and the secrets' directory would hide mounts next to and below it.
 */
function checkSecretDirectories(step: StepFile): StepIssue[] {
  const targets = (["volumes", "caches", "tmpfs"] as const).flatMap((field) =>
    step[field].map(({ target }) => target),
  );
  return [...new Set(step.secrets.map(({ target }) => directoryOf(target)))].flatMap(
    (directory): StepIssue[] => {
      const meets = targets.find((target) => isWithin(target, directory) || isWithin(directory, target));
      if (meets === undefined) return [];
      const relation =
        meets === directory
          ? "is also the target of a mount"
          : isWithin(meets, directory)
            ? `contains the target ${meets} of a mount`
            : `is in the target ${meets} of a mount`;
      return [
        {
          field: "secrets",
          message: `${directory}, the directory of a secret, ${relation}`,
          allowed: "a directory that contains only secrets, outside of every mount; example: /run/secrets",
        },
      ];
    },
  );
}

function refusalsOf(check: () => unknown): StepIssue[] {
  try {
    check();
    return [];
  } catch (reason) {
    if (!isExecutorError(reason)) throw reason;
    return reason.issues.map(({ field, ...issue }) => ({ ...issue, field: field }));
  }
}
