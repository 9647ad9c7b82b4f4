import {
  isExecutorError,
  SESSION_FIELDS,
  SESSION_STEP_FIELDS,
  STEP_FIELDS,
  type StepIssue,
  secretTargetIssues,
} from "@wfe-containerd/executor";
import { FILE_KEYS, type StepFilePart } from "./step-file-layout.js";
import { inWorkspace } from "./step-file-workspace.js";

/** Checks a whole step. @throws ExecutorError with an issue for everything that is wrong. */
export type CheckStep = (step: unknown) => unknown;

export interface PartContext {
  readonly check: CheckStep;
  /** The image of the session. */
  readonly image: unknown;
  /** Where the workspace is. Undefined: the file has none. */
  readonly target: string | undefined;
}

/** Lists everything that is wrong in one part of a step file. */
export function issuesOf(
  { role, value }: StepFilePart,
  { check, image, target }: PartContext,
): readonly StepIssue[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return issuesFrom(check, value);
  const entries = Object.entries(value);
  const misplaced = entries.flatMap(([field]) => misplacedIn(role, field));
  const names = new Set(misplaced.map(({ field }) => field));
  const own = Object.fromEntries(entries.filter(([field]) => !names.has(field)));
  if (role === "session-step") {
    const needed = own["run"] === undefined && own["command"] === undefined ? [NO_COMMAND] : [];
    const found = issuesFrom(check, { image: image ?? "session", ...own });
    // The session's image is checked with the session.
    return [
      ...misplaced,
      ...needed,
      ...secretTargetIssues(own),
      ...found.filter(({ field }) => field !== "image"),
    ];
  }
  const step = role === "step" ? own : { name: "session", ...own, command: ["true"] };
  const found = [...misplaced, ...issuesFrom(check, step)];
  if (found.length > 0 || target === undefined) return found;
  const address = Object.keys(own).find((field) => snake(field) === "containerd_addr");
  if (address !== undefined) return [{ ...OTHER_DAEMON, field: address }];
  return issuesFrom(check, inWorkspace(step, { name: ANY_WORKSPACE, target })).map((issue) => ({
    ...issue,
    message: `${issue.message}; one of the mounts is the workspace, ${target}`,
  }));
}

/** The name of a workspace, for a step that is only checked. */
const ANY_WORKSPACE = `workspace-${"0".repeat(32)}`;

const NO_COMMAND: StepIssue = {
  field: "run",
  message: "is missing; in a session, the image's own program is not started",
  allowed: "run or command; example: run: make test",
};

const OTHER_DAEMON: StepIssue = {
  field: "containerd_addr",
  message: "cannot be used together with workspace, which is on the daemon of --address",
  allowed: "only one of them",
};

function misplacedIn(role: StepFilePart["role"], field: string): StepIssue[] {
  const name = snake(field);
  if (role !== "session" && FILE_KEYS.includes(field))
    return [{ field, message: "belongs to the whole file", allowed: `${field} next to steps:` }];
  if (role === "step" || !Object.hasOwn(STEP_FIELDS, name)) return [];
  if (role === "session" && !SESSION_FIELDS.has(name))
    return [
      SESSION_STEP_FIELDS.has(name)
        ? { field, message: "belongs to a step of the session", allowed: `${name} in the list of steps` }
        : noneInSession(field),
    ];
  if (role === "session-step" && !SESSION_STEP_FIELDS.has(name))
    return [
      SESSION_FIELDS.has(name)
        ? {
            field,
            message: "belongs to the container that all steps share",
            allowed: `${name} next to steps:`,
          }
        : noneInSession(field),
    ];
  return [];
}

function noneInSession(field: string): StepIssue {
  return { field, message: "needs a container for each step", allowed: "a file without session: true" };
}

function issuesFrom(check: CheckStep, step: unknown): readonly StepIssue[] {
  try {
    check(step);
    return [];
  } catch (reason) {
    if (!isExecutorError(reason)) throw reason;
    if (reason.issues.length === 0) return [{ field: "step", message: reason.message }];
    return reason.issues;
  }
}

function snake(field: string): string {
  return field.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
