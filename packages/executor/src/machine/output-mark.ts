import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Client } from "@wfe-containerd/client";
import { isOwnerGone } from "@wfe-containerd/client/internal";
import { ioError } from "../io-error.js";
import { isStepId } from "../step-id.js";

/** The file in a step's output directory that tells whose it is, in case nothing on the daemon does. */
const MARK = "owner.json";

interface Mark {
  /** The process of the executor: the client's `currentOwner`. */
  readonly owner: string;
  readonly address: string;
  readonly namespace: string;
}

export async function markOutput(
  directory: string,
  { address, namespace }: Client,
  owner: string,
): Promise<void> {
  const mark: Mark = { owner, address, namespace };
  const path = join(directory, MARK);
  await writeFile(path, JSON.stringify(mark), { mode: 0o600 }).catch((cause: unknown) => {
    throw ioError(`could not write the file ${path}`, cause);
  });
}

/**
 * The directories of steps whose executor has ended, and which ran in the client's namespace on its daemon,
 * by the step's id. Directories without a mark are left out: nobody knows whose they are.
 */
export async function findMarkedOutputs(
  parent: string,
  { address, namespace }: Client,
  madeBefore: number,
): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const id of (await readdir(parent).catch(() => [])).filter(isStepId)) {
    const path = join(parent, id);
    const mark = await readMark(path);
    if (mark?.address !== address || mark.namespace !== namespace) continue;
    const { mtimeMs = Number.POSITIVE_INFINITY } = (await stat(path).catch(() => undefined)) ?? {};
    if (mtimeMs <= madeBefore && (await isOwnerGone(mark.owner)) === true) found.set(id, path);
  }
  return found;
}

async function readMark(directory: string): Promise<Mark | undefined> {
  try {
    const mark: unknown = JSON.parse(await readFile(join(directory, MARK), "utf8"));
    const isMark =
      typeof mark === "object" && mark !== null && "owner" in mark && typeof mark.owner === "string";
    return isMark ? (mark as Mark) : undefined;
  } catch {
    return undefined;
  }
}
