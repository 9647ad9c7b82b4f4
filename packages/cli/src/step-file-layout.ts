import { isMap, isScalar, isSeq, type Node, YAMLMap } from "yaml";
import { UsageError } from "./failure.js";
import { foreignKind } from "./foreign-file.js";
import { isMergeKey, keyText, nodeAt, type YamlDocument } from "./yaml-document.js";
import { stepValue } from "./yaml-values.js";

const ALLOWED =
  "a step (name, image, run), or a list of steps under steps:; wfe-containerd schema prints every field";

/** A part of a step file that is checked as a step. */
export interface StepFilePart {
  /** A step with a container of its own, the container of a session, or a step in that. */
  readonly role: "step" | "session" | "session-step";
  /** As the file writes it. */
  readonly value: unknown;
  readonly node: Node | null;
  /** What is before its fields in messages, such as `steps[0]: `. Empty when there is only one. */
  readonly where: string;
}

/** A step file, divided into its parts. None of them is checked yet. */
export interface StepFileLayout {
  readonly steps: readonly StepFilePart[];
  readonly session: StepFilePart | undefined;
  /** As the file writes it. */
  readonly workspace: unknown;
  /** What is wrong next to the steps. */
  readonly mistakes: readonly LayoutMistake[];
}

export interface LayoutMistake {
  readonly node: Node | null;
  readonly text: string;
}

/** Keys that are only for a file with a list of steps, next to it. */
export const FILE_KEYS: readonly string[] = ["session", "workspace"];

/** @throws UsageError if the file is not a step file. */
export function layoutOf(yaml: YamlDocument): StepFileLayout {
  const top = topOf(yaml);
  const own = (key: string): unknown => stepValue(yaml, (top.get(key, true) as Node | undefined) ?? null);
  if (!top.has("steps")) {
    const misplaced = FILE_KEYS.filter((key) => top.has(key));
    const step = { role: "step", ...partOf(yaml, without(top, FILE_KEYS)), where: "" } as const;
    return { steps: [step], session: undefined, workspace: undefined, mistakes: misplaced.map(onlyForLists) };
  }
  const session = own("session");
  const isSession = session === true;
  const list = listOf(top, yaml);
  const steps = list.map((node, at) => ({
    role: isSession ? ("session-step" as const) : ("step" as const),
    ...partOf(yaml, node),
    where: `steps[${at}]: `,
  }));
  const rest = without(top, ["steps", ...FILE_KEYS]);
  const strange: LayoutMistake[] =
    session === undefined || typeof session === "boolean"
      ? []
      : [{ node: nodeAt(yaml, top, "session"), text: "session: is not true or false; allowed: true, false" }];
  return {
    steps,
    session: isSession ? { role: "session", ...partOf(yaml, rest), where: "" } : undefined,
    workspace: own("workspace"),
    mistakes: isSession ? strange : [...strange, ...otherKeys(rest)],
  };

  function onlyForLists(key: string): LayoutMistake {
    const text = `${key}: is only for a file with a list of steps; allowed: next to steps:`;
    return { node: nodeAt(yaml, top, key), text };
  }
}

function topOf({ document, text }: YamlDocument): YAMLMap {
  const top = document.contents;
  const foreign = foreignKind(outline(top, 2), text);
  if (foreign !== undefined) throw new UsageError(`this is ${foreign}, not a step file; allowed: ${ALLOWED}`);
  if (isSeq(top))
    throw new UsageError(
      "the file contains a list; put the list under the key steps:; `wfe-containerd step --help` has an example",
    );
  if (!isMap(top)) throw new UsageError(`the file does not contain a step; allowed: ${ALLOWED}`);
  return top;
}

/** Returns the upper levels of a file, enough to see what kind of file it is. Aliases are left out. */
function outline(node: unknown, depth: number): unknown {
  if (isScalar(node)) return node.value;
  if (isSeq(node)) return [];
  if (!isMap(node)) return undefined;
  const entries: YAMLMap["items"] = depth === 0 ? [] : node.items;
  return Object.fromEntries(entries.map(({ key, value }) => [String(key), outline(value, depth - 1)]));
}

function listOf(top: YAMLMap, { targetOf }: YamlDocument): readonly Node[] {
  const list = targetOf((top.get("steps", true) as Node | undefined) ?? null);
  if (!isSeq(list) || list.items.length === 0)
    throw new UsageError("steps: is not a list, or is empty; allowed: a list of one or more steps");
  return list.items as Node[];
}

function partOf(yaml: YamlDocument, node: Node): Pick<StepFilePart, "value" | "node"> {
  return { value: stepValue(yaml, node), node };
}

/** As in a Compose file, keys that begin with `x-` are allowed next to `steps`: they hold anchors. */
function without(top: YAMLMap, keys: readonly string[]): YAMLMap {
  const isList = keys.includes("steps");
  const rest = new YAMLMap();
  rest.range = top.range;
  rest.items = top.items.filter(({ key }) => {
    const name = isScalar(key) ? keyText(key) : String(key);
    return !keys.includes(name) && !(isList && name.startsWith("x-"));
  });
  return rest;
}

function otherKeys({ items }: YAMLMap): LayoutMistake[] {
  return items.map(({ key }) => {
    const name = isMergeKey(key) ? "<<" : String(key);
    return {
      node: key as Node,
      text: `the key ${name} is not allowed next to steps; allowed: steps, workspace, session, x-NAME for anchors, and with session: true the fields of the container that all steps share`,
    };
  });
}
