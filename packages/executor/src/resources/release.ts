import { ExecutorError } from "../error.js";

/** Undoes what was acquired, newest first. Every undo is tried, even if others fail. */
export interface Release {
  /**
   * Registers an undo. Call this *before* sending the request that acquires something: a request may take
   * effect even if its answer is lost. So every undo must accept that there is nothing to undo.
   */
  add(what: string, undo: () => Promise<unknown>): void;
  /**
   * Runs every undo once.
   *
   * @throws ExecutorError `release-failed`, with a list of everything that failed.
   */
  all(): Promise<void>;
}

export function createRelease(): Release {
  const undos: { what: string; undo: () => Promise<unknown> }[] = [];
  return {
    add(what, undo) {
      undos.push({ what, undo });
    },
    async all() {
      const failed: { what: string; cause: unknown }[] = [];
      for (let next = undos.pop(); next !== undefined; next = undos.pop()) {
        const { what, undo } = next;
        await undo().catch((cause: unknown) => failed.push({ what, cause }));
      }
      const [first] = failed;
      if (first === undefined) return;
      const list = failed.map(({ what, cause }) => `${what}: ${messageOf(cause)}`).join("; ");
      throw new ExecutorError(`not everything could be released: ${list}`, {
        kind: "release-failed",
        cause: first.cause,
      });
    },
  };
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
