import {
  checkStep,
  type Policy,
  parseStep,
  type SessionInput,
  type StepConfig,
  type StepInput,
} from "@wfe-containerd/executor";
import { MistakesError, UsageError } from "./failure.js";
import { mistakesIn } from "./step-file-check.js";
import { layoutOf } from "./step-file-layout.js";
import type { CheckStep } from "./step-file-part.js";
import { readDocument, refuseTooDeep, type YamlDocument } from "./yaml-document.js";

/** A step file without mistakes. */
export interface StepFile {
  /** The file's name in messages. */
  readonly name: string;
  /** Those of a session have its image. */
  readonly steps: readonly StepInput[];
  /** The container that all steps share. Undefined: each has its own. */
  readonly session: SessionInput | undefined;
  /** The path of the directory that all steps share. Undefined: they share none. */
  readonly workspace: string | undefined;
  /** @throws MistakesError that lists everything that the policy does not allow, each with its line. */
  checkPolicy(policy: Policy): void;
}

/**
 * Reads and checks a step file: one step, or a list under `steps`.
 *
 * @throws MistakesError that lists every mistake in any of the steps, each with its line.
 * @throws UsageError when the file cannot be read, or is not a step file.
 */
export async function readStepFile(file: string): Promise<StepFile> {
  const yaml = await readDocument(file);
  return refuseTooDeep(yaml.name, () => checkedFile(yaml));
}

function checkedFile(yaml: YamlDocument): StepFile {
  const layout = inFile(yaml.name, () => layoutOf(yaml));
  const check = (checkPart: CheckStep, others: readonly string[]): void => {
    const mistakes = [...others, ...mistakesIn(yaml, layout, checkPart)];
    if (mistakes.length > 0) throw new MistakesError(yaml.name, mistakes);
  };
  check(parseStep, yaml.duplicateKeys);
  const session =
    layout.session &&
    ({ name: "session", ...(layout.session.value as Partial<SessionInput>) } as SessionInput);
  return {
    name: yaml.name,
    steps: layout.steps.map(({ value }) => ({
      ...(session && { image: session.image }),
      ...(value as StepInput),
    })),
    session,
    workspace: layout.workspace as string | undefined,
    checkPolicy: (policy) => check((step): StepConfig => checkStep(step as StepInput, policy), []),
  };
}

function inFile<T>(name: string, run: () => T): T {
  try {
    return run();
  } catch (reason) {
    if (!(reason instanceof UsageError)) throw reason;
    throw new UsageError(`${name}: ${reason.message}`, { cause: reason });
  }
}
