import { readFile } from "node:fs/promises";
import { fileProblem, UsageError } from "./failure.js";

/**
 * Reads a file that the user named.
 *
 * @param flag the flag that named it; begins the error's message.
 * @throws UsageError when the file cannot be read.
 */
export async function readNamedFile(flag: string, path: string): Promise<Buffer> {
  return readFile(path).catch((cause: unknown) => {
    throw new UsageError(`${flag}: cannot read ${path}: ${fileProblem(cause)}`, { cause });
  });
}
