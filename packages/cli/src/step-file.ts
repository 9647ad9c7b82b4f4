import { createReadStream } from "node:fs";
import type { StepInput } from "@wfe-containerd/executor";
import { type Document, isScalar, LineCounter, parseDocument, visit } from "yaml";
import { UsageError } from "./failure.js";

/** Nobody writes more by hand, and whoever may write a step file must not keep us busy. */
const MAX_BYTES = 1024 * 1024;

/** What a file, or `-` for standard input, holds as YAML; JSON is YAML too. Errors name the line. */
export async function readYaml(file: string): Promise<unknown> {
  const lineCounter = new LineCounter();
  // The library compares each key of a map with each other one.
  const document = parseDocument(await read(file), { lineCounter, uniqueKeys: false });
  const [error] = document.errors;
  if (error !== undefined) throw new UsageError(`${nameOf(file)}: ${error.message.trim()}`);
  refuseTwins(document, (key, offset) => {
    const { line } = lineCounter.linePos(offset);
    throw new UsageError(
      `${nameOf(file)}: ${JSON.stringify(key)} is given twice, the second time in line ${line}`,
    );
  });
  return document.toJS({ maxAliasCount: 100 });
}

function refuseTwins(document: Document.Parsed, refuse: (key: unknown, offset: number) => never): void {
  visit(document, {
    Map(_, map) {
      const keys = new Set<string>();
      for (const { key } of map.items) {
        if (!isScalar(key)) continue;
        const text = String(key.value);
        if (keys.has(text)) refuse(key.value, key.range?.[0] ?? 0);
        keys.add(text);
      }
    },
  });
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
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of file === "-" ? process.stdin : createReadStream(file)) {
      chunks.push(chunk as Buffer);
      bytes += (chunk as Buffer).byteLength;
      if (bytes > MAX_BYTES) break;
    }
  } catch (cause) {
    throw new UsageError(`cannot read ${file}: ${(cause as NodeJS.ErrnoException).code ?? cause}`, { cause });
  }
  if (bytes > MAX_BYTES)
    throw new UsageError(`${nameOf(file)}: has more than 1 MiB; allowed: up to ${MAX_BYTES} bytes`);
  return Buffer.concat(chunks).toString("utf8");
}
