import {
  EXEC_FIELDS,
  isExecutorError,
  SESSION_FIELDS,
  STEP_FIELDS,
  type StepIssue,
  toVariableName,
} from "@wfe-containerd/executor";
import type { Node } from "yaml";
import { MAX_MISTAKES } from "./failure.js";
import { issueText } from "./report-failure.js";
import type { StepFileLayout, StepFilePart } from "./step-file-layout.js";
import { inWorkspace, workspaceProblem } from "./step-file-workspace.js";
import { nodeAt, type YamlDocument } from "./yaml-document.js";

/** Checks a whole step. @throws ExecutorError with an issue for everything that is wrong. */
export type CheckStep = (step: unknown) => unknown;

interface Mistake {
  readonly node: Node | null;
  readonly text: string;
}

/** Lists everything that is wrong in a step file, each with its line, in the order of the lines. */
export function mistakesIn(yaml: YamlDocument, layout: StepFileLayout, check: CheckStep): string[] {
  const { steps, session, workspace, mistakes } = layout;
  const problem = workspace === undefined ? undefined : workspaceProblem(workspace);
  const target = problem === undefined ? (workspace as string | undefined) : undefined;
  const image = (session?.value as { image?: unknown } | undefined)?.image;
  const parts = [...(session === undefined ? [] : [session]), ...steps];
  const found: Mistake[] = [
    ...mistakes,
    ...(problem === undefined
      ? []
      : [{ node: nodeAt(yaml, yaml.document.contents, "workspace"), text: problem }]),
    ...parts.flatMap((part) =>
      issuesOf(part, { check, image, target }).map((issue, at) => ({
        // No more are printed, and each takes a walk through its map.
        node: at < MAX_MISTAKES ? nodeAt(yaml, part.node, issue.field) : null,
        text: `${part.where}${issueText(issue)}`,
      })),
    ),
    ...sameNames(yaml, steps),
  ];
  return found
    .map(({ node, text }) => ({ line: node === null ? undefined : yaml.lineOf(node), text }))
    .toSorted((a, b) => (a.line ?? Number.MAX_SAFE_INTEGER) - (b.line ?? Number.MAX_SAFE_INTEGER))
    .map(({ line, text }) => (line === undefined ? text : `line ${line}: ${text}`));
}

interface PartContext {
  readonly check: CheckStep;
  /** The image of the session. */
  readonly image: unknown;
  /** Where the workspace is. Undefined: the file has none. */
  readonly target: string | undefined;
}

function issuesOf(
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
    return [...misplaced, ...needed, ...found.filter(({ field }) => field !== "image")];
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
  if (role === "step" || !Object.hasOwn(STEP_FIELDS, name)) return [];
  if (role === "session" && !SESSION_FIELDS.has(name))
    return [
      EXEC_FIELDS.has(name)
        ? { field, message: "belongs to a step of the session", allowed: `${name} in the list of steps` }
        : noneInSession(field),
    ];
  if (role === "session-step" && !EXEC_FIELDS.has(name))
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

/** Finds steps whose names become the same variable names. Later steps could not tell their outputs apart. */
function sameNames(yaml: YamlDocument, steps: readonly StepFilePart[]): Mistake[] {
  const names = new Map<string, string>();
  return steps.flatMap(({ value, node, where }) => {
    const { name } = (value ?? {}) as { name?: unknown };
    if (typeof name !== "string") return [];
    const other = names.get(toVariableName(name));
    names.set(toVariableName(name), name);
    if (other === undefined) return [];
    return [
      {
        node: nodeAt(yaml, node, "name"),
        text: `${where}name: ${name} and ${other} would give their outputs the same variable names; allowed: names that differ in a letter or digit`,
      },
    ];
  });
}

function snake(field: string): string {
  return field.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
