import { toVariableName } from "@wfe-containerd/executor";
import type { Node } from "yaml";
import { MAX_MISTAKES } from "./failure.js";
import { issueText } from "./report-failure.js";
import type { StepFileLayout, StepFilePart } from "./step-file-layout.js";
import { type CheckStep, issuesOf } from "./step-file-part.js";
import { workspaceProblem } from "./step-file-workspace.js";
import { nodeAt, type YamlDocument } from "./yaml-document.js";

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
