import { forEachConcurrently } from "@wfe-containerd/client/internal";
import type { ClaimablePile, Leftover, Pile, ReapReport } from "./leftover.js";

/**
 * How many piles are removed at a time. One that cannot be removed takes seconds, and must not delay others.
 */
const AT_A_TIME = 8;

/** What {@link removePiles} would remove. */
export async function listPiles(piles: readonly ClaimablePile[]): Promise<ReapReport> {
  return { removed: piles.flatMap(({ pile }) => pile.map(({ leftover }) => leftover)), failed: [] };
}

/** Removes each pile from its top, until a part fails. */
export async function removePiles(piles: readonly ClaimablePile[], signal: AbortSignal): Promise<ReapReport> {
  const reports: ReapReport[] = piles.map(() => ({ removed: [], failed: [] }));
  const count = AT_A_TIME;
  const all = forEachConcurrently([...piles.entries()], { count, signal }, async ([at, { pile, claim }]) => {
    try {
      const claimed = await claim?.();
      if (claim !== undefined && claimed === undefined) return;
      const report = await removePile(pile);
      reports[at] = report;
      // A claim that stays is found when this process has ended.
      await claimed?.end(report.failed.length === 0).catch(() => undefined);
    } catch (reason) {
      const failure = messageOf(reason);
      reports[at] = { removed: [], failed: pile.map(({ leftover }) => ({ ...leftover, failure })) };
    }
  });
  // After an abort, the rest was not begun.
  await all.catch((reason: unknown) => {
    if (!signal.aborted) throw reason;
  });
  return {
    removed: reports.flatMap(({ removed }) => removed),
    failed: reports.flatMap(({ failed }) => failed),
  };
}

async function removePile(pile: Pile): Promise<ReapReport> {
  const removed: Leftover[] = [];
  const failed: (Leftover & { readonly failure: string })[] = [];
  let kept: string | undefined;
  for (const { leftover, remove } of pile) {
    const failure = kept ?? (await remove().then(() => undefined, messageOf));
    if (failure === undefined) {
      removed.push(leftover);
      continue;
    }
    failed.push({ ...leftover, failure });
    kept ??= `it is kept as long as the ${leftover.kind} ${leftover.id} is there`;
  }
  return { removed, failed };
}

function messageOf(reason: unknown): string {
  return reason instanceof Error ? reason.message : String(reason);
}
