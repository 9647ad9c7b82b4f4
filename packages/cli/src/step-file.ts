import { isExecutorError, parseStep, type StepInput, toVariableName } from "@wfe-containerd/executor";
import { isMap, isScalar, isSeq, type Node, type YAMLMap } from "yaml";
import { MAX_MISTAKES, MistakesError, UsageError } from "./failure.js";
import { foreignKind } from "./foreign-file.js";
import { issueText } from "./report-failure.js";
import { nodeAt, readDocument, refuseTooDeep, type YamlDocument } from "./yaml-document.js";
import { stepValue } from "./yaml-values.js";

const ALLOWED =
  "a step (name, image, run), or a list of steps under steps:; wfe-containerd schema prints every field";

/** A step as the file writes it. */
interface Written {
  readonly value: unknown;
  readonly node: Node | null;
  /** The prefix of its error messages, such as `steps[0]: `. Empty when the file has only one step. */
  readonly where: string;
}

/**
 * Reads and checks a step file: one step, or a list under `steps`.
 *
 * @throws MistakesError that lists every mistake in any of the steps, each with its line.
 * @throws UsageError when the file cannot be read, or is not a step file.
 */
export async function readStepFile(file: string): Promise<StepInput[]> {
  const yaml = await readDocument(file);
  return refuseTooDeep(yaml.name, () => checkedSteps(yaml));
}

function checkedSteps(yaml: YamlDocument): StepInput[] {
  const steps = inFile(yaml.name, () => stepsOf(yaml));
  const mistakes = [
    ...yaml.duplicateKeys,
    ...steps.flatMap((step) => mistakesOf(yaml, step)),
    ...sameNames(yaml, steps),
  ];
  if (mistakes.length > 0) throw new MistakesError(yaml.name, mistakes);
  return steps.map(({ value }) => value as StepInput);
}

function stepsOf(yaml: YamlDocument): Written[] {
  const { document, text } = yaml;
  const top = document.contents;
  const foreign = foreignKind(outline(top, 2), text);
  if (foreign !== undefined) throw new UsageError(`this is ${foreign}, not a step file; allowed: ${ALLOWED}`);
  if (isSeq(top))
    throw new UsageError(
      "the file contains a list; put the list under the key steps:; `wfe-containerd step --help` has an example",
    );
  if (!isMap(top)) throw new UsageError(`the file does not contain a step; allowed: ${ALLOWED}`);
  if (!top.has("steps")) return [{ value: stepValue(yaml, top), node: top, where: "" }];
  return listOf(top, yaml).map((node, at) => ({
    value: stepValue(yaml, node),
    node,
    where: `steps[${at}]: `,
  }));
}

/** Returns the upper levels of a file, enough to see what kind of file it is. Aliases are left out. */
function outline(node: unknown, depth: number): unknown {
  if (isScalar(node)) return node.value;
  if (isSeq(node)) return [];
  if (!isMap(node)) return undefined;
  const entries: YAMLMap["items"] = depth === 0 ? [] : node.items;
  return Object.fromEntries(entries.map(({ key, value }) => [String(key), outline(value, depth - 1)]));
}

/** As in a Compose file, keys that begin with `x-` are allowed next to `steps`: they hold anchors. */
function listOf(top: YAMLMap, { targetOf }: YamlDocument): Node[] {
  const keys = top.items.map(({ key }) => String(key));
  const other = keys.find((key) => key !== "steps" && !key.startsWith("x-"));
  if (other !== undefined)
    throw new UsageError(
      `the key ${other} is not allowed next to steps; allowed: steps, and x-NAME for anchors`,
    );
  const list = targetOf((top.get("steps", true) as Node | undefined) ?? null);
  if (!isSeq(list) || list.items.length === 0)
    throw new UsageError("steps: is not a list, or is empty; allowed: a list of one or more steps");
  return list.items as Node[];
}

function mistakesOf(yaml: YamlDocument, { value, node, where }: Written): string[] {
  try {
    parseStep(value);
    return [];
  } catch (reason) {
    if (!isExecutorError(reason, "invalid-step")) throw reason;
    return reason.issues.map((issue, at) => {
      // No more are printed, and each takes a walk through its map.
      const start = at < MAX_MISTAKES ? line(yaml, nodeAt(yaml, node, issue.field)) : "";
      return `${start}${where}${issueText(issue)}`;
    });
  }
}

/** Finds steps whose names become the same variable names. Later steps could not tell their outputs apart. */
function sameNames(yaml: YamlDocument, steps: readonly Written[]): string[] {
  const names = new Map<string, string>();
  return steps.flatMap(({ value, node, where }) => {
    const { name } = (value ?? {}) as { name?: unknown };
    if (typeof name !== "string") return [];
    const other = names.get(toVariableName(name));
    names.set(toVariableName(name), name);
    if (other === undefined) return [];
    const at = line(yaml, nodeAt(yaml, node, "name"));
    return [
      `${at}${where}name: ${name} and ${other} would give their outputs the same variable names; allowed: names that differ in a letter or digit`,
    ];
  });
}

function line({ lineOf }: YamlDocument, node: Node | null): string {
  const at = node === null ? undefined : lineOf(node);
  return at === undefined ? "" : `line ${at}: `;
}

function inFile<T>(name: string, run: () => T): T {
  try {
    return run();
  } catch (reason) {
    if (!(reason instanceof UsageError)) throw reason;
    throw new UsageError(`${name}: ${reason.message}`, { cause: reason });
  }
}
