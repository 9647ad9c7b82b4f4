import { ignoreNotFound } from "@wfe-containerd/client/internal";
import { later, type Moment, msUntil } from "../core/recovery/deadline.js";
import type { StepRecord } from "../core/recovery/step-record.js";
import { refuse } from "../core/refuse.js";
import type { Machine } from "../machine/machine.js";
import { askMoment } from "./clock.js";
import { toExtensions } from "./record-keeper.js";
import { findRecorded } from "./recorded-step.js";

/** The deadline of a step that was left to itself. It is in the step's record, for whoever reaps. */
export interface LeftDeadline {
  /**
   * Counts it anew from now on. In milliseconds.
   *
   * @throws ExecutorError `refused` if the policy allows less, or the step is gone.
   */
  set(timeMs: number): Promise<void>;
  /** The time until then, in milliseconds. 0 if it is over, or the step has none. */
  leftMs(): Promise<number>;
}

/**
 * @param field how errors name the time.
 * @param maximumMs how old the policy lets the step become, in milliseconds. -1: any age.
 */
export function leftDeadline(
  { client, facts }: Pick<Machine, "client" | "facts">,
  id: string,
  field: string,
  maximumMs: number,
): LeftDeadline {
  const read = async (): Promise<StepRecord | undefined> => {
    const found = (await findRecorded(client, id))?.found;
    return found?.kind === "record" ? found.record : undefined;
  };
  const now = (): Promise<Moment> => askMoment(client, facts.locality !== "remote");
  const refuseEnded = (): never => refuse(field, "the session has ended", "a running session");
  return {
    async set(timeMs) {
      const moment = await now();
      const record = (await read()) ?? refuseEnded();
      const ageMs = Math.max(0, Date.now() - (record.startedAtMs ?? Date.now()));
      if (maximumMs !== -1 && ageMs + timeMs > maximumMs)
        refuse(
          field,
          `${timeMs} would end it more than ${maximumMs} ms after its start`,
          `at most ${Math.max(0, maximumMs - ageMs)}, by the policy's maximum_timeout_ms`,
        );
      // Of a step that was left, nothing else in the record changes any more. Of two that set it, one counts.
      const extensions = toExtensions({ ...record, deadline: later(moment, timeMs) });
      if ((await ignoreNotFound(client.containers.update(id, { extensions }))) === undefined) refuseEnded();
    },
    async leftMs() {
      const deadline = (await read())?.deadline;
      return deadline === undefined ? 0 : Math.max(0, Math.ceil(msUntil(deadline, await now())));
    },
  };
}
