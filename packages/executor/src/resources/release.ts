import { type ReleasePass, traceRelease } from "../diagnostics/release.js";
import type { UnreleasedResource } from "../unreleased.js";

/** What a step acquired, and how it is removed again. */
export interface Release {
  /** Registers something of this process, such as open files: `run` closes it first, whatever happens. */
  own(close: () => Promise<unknown>): void;
  /**
   * Registers an undo. Call this *before* sending the request that acquires something: a request may take
   * effect even if its answer is lost. So every undo must accept that there is nothing to undo. Register what
   * something stands on before it: the snapshot before the container, the container before the task.
   */
  add(resource: Pick<UnreleasedResource, "kind" | "id">, undo: () => Promise<unknown>): void;
  /** Forgets what is not this process's own: a step that was left to itself keeps what it has. */
  leave(): void;
  /** Whether an undo of this kind is registered and has not succeeded. */
  has(kind: UnreleasedResource["kind"]): boolean;
  /** What is not undone, as far as it is known now. */
  readonly left: readonly UnreleasedResource[];
  /**
   * Runs the undos, the newest first, until one fails. What the failed one stands on is kept, so that `ps`
   * and `gc` find it. A further call goes on where the last one stopped.
   *
   * @returns what is left. Never rejects.
   */
  run(): Promise<readonly UnreleasedResource[]>;
}

interface Undo {
  readonly resource: Pick<UnreleasedResource, "kind" | "id">;
  readonly undo: () => Promise<unknown>;
}

/** @param id of the step, for diagnostics. */
export function createRelease(id = ""): Release {
  const closers: (() => Promise<unknown>)[] = [];
  const undos: Undo[] = [];
  let failure: { readonly undo: Undo; readonly reason: unknown } | undefined;
  let attempt = 0;
  let running: Promise<readonly UnreleasedResource[]> | undefined;

  async function run(): Promise<ReleasePass> {
    for (let close = closers.pop(); close !== undefined; close = closers.pop())
      await close().catch(() => undefined);
    for (let last = undos.at(-1); last !== undefined; last = undos.at(-1)) {
      try {
        await last.undo();
      } catch (reason) {
        failure = { undo: last, reason };
        return { unreleased: left(), failure: { reason } };
      }
      undos.pop();
    }
    return { unreleased: [], failure: undefined };
  }

  function left(): UnreleasedResource[] {
    return undos.toReversed().map((undo) => ({ ...undo.resource, reason: reasonOf(undo) }));
  }

  function reasonOf(undo: Undo): string {
    const last = undos.at(-1);
    if (undo === last && failure?.undo === undo) return messageOf(failure.reason);
    if (undo === last || last === undefined) return "the step has not ended";
    return `it is kept as long as the ${last.resource.kind} ${last.resource.id} is there`;
  }

  return {
    own: (close) => void closers.push(close),
    add: (resource, undo) => void undos.push({ resource, undo }),
    get left() {
      return left();
    },
    leave: () => void undos.splice(0),
    has: (kind) => undos.some(({ resource }) => resource.kind === kind),
    run() {
      running ??= traceRelease(id, ++attempt, run).finally(() => {
        running = undefined;
      });
      return running;
    },
  };
}

function messageOf(reason: unknown): string {
  return reason instanceof Error ? reason.message : String(reason);
}
