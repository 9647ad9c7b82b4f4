import { writeFile } from "node:fs/promises";
import { fileProblem, UsageError } from "./failure.js";

/**
 * Writes a step's id to a file. As in docker, an existing file is not overwritten: the step is released, and
 * this is an error.
 */
export async function writeId(file: string, step: { readonly id: string } & AsyncDisposable): Promise<void> {
  await writeFile(file, step.id, { flag: "wx" }).catch(async (cause: NodeJS.ErrnoException) => {
    await step[Symbol.asyncDispose]();
    const problem =
      cause.code === "EEXIST" ? "already exists; remove it" : `cannot be written: ${fileProblem(cause)}`;
    throw new UsageError(`--cidfile: ${file} ${problem}`, { cause });
  });
}
