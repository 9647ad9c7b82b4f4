import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import type { StepInput } from "@wfe-containerd/executor";
import { parseDocument } from "yaml";
import { UsageError } from "./failure.js";

/** What a file, or `-` for standard input, holds as YAML; JSON is YAML too. Errors name the line. */
export async function readYaml(file: string): Promise<unknown> {
  const source = file === "-" ? await text(process.stdin) : await read(file);
  const document = parseDocument(source);
  const [error] = document.errors;
  if (error !== undefined) throw new UsageError(`${nameOf(file)}: ${error.message.trim()}`);
  return document.toJS({ maxAliasCount: 100 });
}

function nameOf(file: string): string {
  return file === "-" ? "standard input" : file;
}

/** The steps of a file: one step, or a list under `steps`. What a step may hold is the executor's to say. */
export async function readStepFile(file: string): Promise<StepInput[]> {
  const name = nameOf(file);
  const value = await readYaml(file);
  if (typeof value !== "object" || value === null)
    throw new UsageError(`${name}: holds no step; allowed: a step, or steps: with a list of them`);
  if (!("steps" in value)) return [value as StepInput];
  const { steps, ...others } = value;
  const [other] = Object.keys(others);
  if (other !== undefined)
    throw new UsageError(`${name}: ${other} stands beside steps; allowed: steps alone`);
  if (!Array.isArray(steps) || steps.length === 0)
    throw new UsageError(`${name}: steps is no list, or an empty one; allowed: a list of steps`);
  return steps as StepInput[];
}

async function read(file: string): Promise<string> {
  return readFile(file, "utf8").catch((cause: unknown) => {
    throw new UsageError(`cannot read ${file}: ${(cause as NodeJS.ErrnoException).code ?? cause}`, { cause });
  });
}
