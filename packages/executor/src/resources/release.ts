import { ExecutorError } from "../error.js";

/** Undoes what was acquired, newest first. Every undo is tried, whatever the others do. */
export interface Release {
  /**
   * Registers an undo. Register it *before* the acquiring call is sent: a call whose answer never came may still
   * have taken effect, so every undo must accept that there is nothing to undo.
   */
  add(what: string, undo: () => Promise<unknown>): void;
  /** Runs every undo once. Throws one {@link ExecutorError} of kind `release-failed` that lists all that failed. */
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
