import { rm } from "node:fs/promises";
import { dirname } from "node:path";
import type { Client } from "@wfe-containerd/client";
import { findMarkedOutputs } from "../machine/output-mark.js";
import { findAbandonedDirectories, removeIfUnused } from "../machine/private-directory.js";
import type { Leftover, Pile } from "./leftover.js";

export interface DirectoryQuery {
  /** Where executors put the output of steps, besides their private directories. */
  readonly ioDir: string | undefined;
  readonly madeBefore: number;
}

/** Directories that dead executors of this machine have left. */
export interface LeftDirectories {
  /** Output of steps, which may still be on the daemon, by the step's id. */
  readonly outputs: ReadonlyMap<string, string>;
  /** The private directories that are empty once these directories are removed. */
  private(removed: readonly Leftover[]): Pile[];
}

export async function findDirectories(
  client: Client,
  { ioDir, madeBefore }: DirectoryQuery,
): Promise<LeftDirectories> {
  const directories = await findAbandonedDirectories(madeBefore);
  const parents = [...(ioDir === undefined ? [] : [ioDir]), ...directories.map(({ path }) => path)];
  const found = await Promise.all(
    [...new Set(parents)].map((parent) => findMarkedOutputs(parent, client, madeBefore)),
  );
  return {
    outputs: new Map(found.flatMap((outputs) => [...outputs])),
    private(removed) {
      const gone = removed.filter(({ kind }) => kind === "output").map(({ id }) => id);
      return directories
        .filter(({ path, entries }) => gone.filter((one) => dirname(one) === path).length === entries.length)
        .map(({ path, reason }) => [
          {
            leftover: { kind: "temporary-directory", id: path, reason },
            remove: () => removeIfUnused(path),
          },
        ]);
    },
  };
}

/** The output of a step of which nothing else is left. */
export function pileOfOutput(stepId: string, path: string): Pile {
  const reason = "its executor has ended, and nothing else of the step is left";
  return [
    {
      leftover: { kind: "output", id: path, stepId, reason },
      remove: () => rm(path, { recursive: true, force: true }),
    },
  ];
}
