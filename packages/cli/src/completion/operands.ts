import { type Client, familiarReference, parseReference } from "@wfe-containerd/client";
import { type ListedStep, listRecoverable, listSteps, listVolumes } from "@wfe-containerd/executor";
import type { OperandKind } from "../command-entry.js";
import { isAlive } from "../steps.js";
import type { Word } from "./words.js";

/** Asks the daemon for what an operand can name: steps by name and by id, images, volumes. */
export async function operandWords(client: Client, kind: OperandKind): Promise<Word[]> {
  switch (kind) {
    case "step":
      return stepWords(await listSteps(client));
    case "running-step":
      return stepWords((await listSteps(client)).filter(isAlive));
    case "recoverable-step":
      return stepWords(await listRecoverable(client, { policy: "stop" }));
    case "step-or-image":
      return [...(await operandWords(client, "step")), ...(await operandWords(client, "image"))];
    case "image":
      return (await client.images.list()).map(({ name }) => ({ text: shortest(name), description: "" }));
    case "volume":
      return (await listVolumes(client)).map(({ name, kind: what }) => ({ text: name, description: what }));
    default:
      return [];
  }
}

function stepWords(steps: readonly ListedStep[]): Word[] {
  const described = ({ image, status }: ListedStep): string => `${status}, ${shortest(image)}`;
  return [
    // A name of several steps does not say which.
    ...steps
      .filter(({ name }) => name !== "" && steps.filter((other) => other.name === name).length === 1)
      .map((step) => ({ text: step.name, description: described(step) })),
    ...steps.map((step) => ({ text: step.id, description: `${step.name}, ${described(step)}` })),
  ];
}

function shortest(name: string): string {
  try {
    return familiarReference(parseReference(name));
  } catch {
    return name;
  }
}
