import { randomBytes } from "node:crypto";
import { LABELS } from "./core/plan/labels.js";
import type { ExecParts } from "./start-exec.js";

/** Whether other processes than this one use a session. */
export interface SessionUsage {
  /** Tells others that this process has used it. Never throws: it may be over. */
  tell(): void;
  /** Whether another one uses it now, or has used it since the last call. */
  isUsedElsewhere(): Promise<boolean>;
}

/** Looks at the container: whether steps run in it, and at a label that changes with each use. */
export function watchUsage({ host }: Pick<ExecParts, "host">): SessionUsage {
  let seen: string | undefined;
  return {
    tell() {
      seen = randomBytes(8).toString("hex");
      try {
        const { plan, resolved } = host.look();
        // Only a hint: without it, an idle session is closed a little early.
        resolved.machine.client.containers
          .update(plan.id, { labels: { [LABELS.used]: seen } })
          .catch(() => undefined);
      } catch {
        // It is over.
      }
    },
    async isUsedElsewhere() {
      try {
        const { plan, resolved } = host.look();
        const { containers, tasks } = resolved.machine.client;
        const last = seen;
        seen = (await containers.get(plan.id)).labels[LABELS.used];
        if (seen !== last) return true;
        return (await tasks.processes(plan.id)).some(({ execId }) => execId !== undefined);
      } catch {
        // It is over, or the daemon is away: then nobody can be asked.
        return false;
      }
    },
  };
}
