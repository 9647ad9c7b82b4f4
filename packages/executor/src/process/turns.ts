import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Client } from "@wfe-containerd/client";
import { LABELS } from "../core/plan/labels.js";

/**
 * What may not happen to a container at the same time: with control groups of version 1, a container that is
 * frozen while runc adds a process to it can be thawed no more, until that process is given up.
 */
type Turn = "start" | "freeze";

/**
 * Lets a container be frozen by one process of a machine and be added to by another, one after the other.
 * With control groups of version 2, both just run.
 */
export interface Turns {
  /** Runs work in which runc adds a process. Any number of these at once. */
  start<T>(client: Client, containerId: string, work: () => Promise<T>): Promise<T>;
  /** Runs work that freezes the container. Not while `start` runs on these turns. */
  freeze<T>(client: Client, containerId: string, work: () => Promise<T>): Promise<T>;
}

const PAUSE_MS = 20;
/** Longer than any turn takes, in milliseconds. The mark of a process that has died is then removed. */
const STALE_MS = 180_000;

/**
 * Each process marks its turn by a label of its own on the container. The daemon changes labels one after the
 * other, and answers with all of them. So of two that begin at once, at least one sees the other's mark, and
 * whoever starts a process gives way.
 *
 * @param tag tells the mark of this process from those of others.
 */
export function createTurns(tag: string): Turns {
  const prefix = `${LABELS.turn}.`;
  const own = `${prefix}${tag}`;
  let isNeeded: Promise<boolean> | undefined;
  let starts = 0;
  let taken: Promise<unknown> = Promise.resolve();

  async function set(client: Client, id: string, value: string): Promise<Readonly<Record<string, string>>> {
    return (await client.containers.update(id, { labels: { [own]: value } })).labels;
  }

  async function take(client: Client, id: string, turn: Turn): Promise<void> {
    const other = turn === "start" ? "freeze" : "start";
    const seenAt = new Map<string, number>();
    const mark = (): ReturnType<typeof set> => set(client, id, `${turn} ${randomUUID()}`);

    async function isOthers(labels: Readonly<Record<string, string>>): Promise<boolean> {
      let found = false;
      for (const [name, value] of Object.entries(labels)) {
        if (!name.startsWith(prefix) || name === own || !value.startsWith(`${other} `)) continue;
        const since = seenAt.get(value) ?? performance.now();
        seenAt.set(value, since);
        if (performance.now() - since < STALE_MS) found = true;
        else await client.containers.setLabels(id, { [name]: "" });
      }
      return found;
    }

    let labels = await mark();
    while (await isOthers(labels)) {
      if (turn === "start") await set(client, id, "");
      do {
        await delay(PAUSE_MS);
        ({ labels } = await client.containers.get(id));
      } while (await isOthers(labels));
      if (turn === "start") labels = await mark();
    }
  }

  /** Asked once: a container's control groups stay as they are. What tells nothing of them may need turns. */
  function needsTurns(client: Client, id: string): Promise<boolean> {
    isNeeded ??= client.tasks.metrics(id).then(
      ({ kind }) => kind === "cgroup1",
      () => {
        isNeeded = undefined;
        return true;
      },
    );
    return isNeeded;
  }

  /** A mark that could not be taken off is overwritten by the next one, or removed when it is stale. */
  async function giveBack(client: Client, id: string): Promise<void> {
    await set(client, id, "").catch(() => undefined);
  }

  return {
    async start(client, id, work) {
      if (!(await needsTurns(client, id))) return work();
      if (starts++ === 0) taken = taken.catch(() => undefined).then(() => take(client, id, "start"));
      try {
        await taken;
        return await work();
      } finally {
        // Nobody waits for it but the next turn.
        if (--starts === 0) taken = taken.catch(() => undefined).then(() => giveBack(client, id));
      }
    },
    async freeze(client, id, work) {
      if (!(await needsTurns(client, id))) return work();
      await taken.catch(() => undefined);
      try {
        await take(client, id, "freeze");
        return await work();
      } finally {
        taken = giveBack(client, id);
        await taken;
      }
    },
  };
}
