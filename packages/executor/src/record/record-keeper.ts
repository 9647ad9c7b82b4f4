import type { AnyValue, Client } from "@wfe-containerd/client";
import type { StepEndCause } from "../core/output/cause.js";
import { RECORD_EXTENSION, type StepRecord, toRecordValue } from "../core/recovery/step-record.js";

/** How long to wait for the record before a stop signal, in milliseconds: the signal is more urgent. */
const STOPPING_MS = 1_000;

/** Writes the record of a step on its container, as the step goes on. */
export interface RecordKeeper {
  readonly record: StepRecord;
  /** The step's process may be started from now on. */
  ready(start: Required<Pick<StepRecord, "startedAtMs">> & Pick<StepRecord, "deadline">): Promise<void>;
  /** The step's process is to get its stop signal. Never rejects: the signal must go out. */
  stopping(cause: StepEndCause): Promise<void>;
  /** Call it before the task is deleted: with the task, containerd forgets how it ended. */
  exited(exit: NonNullable<StepRecord["exit"]>): Promise<void>;
}

/**
 * @param patient its calls wait for a daemon that is away.
 * @param impatient its calls do not.
 */
export function keepRecord(
  { patient, impatient }: { readonly patient: Client; readonly impatient: Client },
  id: string,
  first: StepRecord,
): RecordKeeper {
  let record = first;

  async function write(client: Client, change: Partial<StepRecord>, timeoutMs?: number): Promise<void> {
    record = { ...record, ...change };
    await client.containers.update(id, { extensions: toExtensions(record), timeoutMs });
  }

  return {
    get record() {
      return record;
    },
    ready: (start) => write(patient, { ...start, state: "ready" }),
    async stopping(stopCause) {
      await write(impatient, { state: "stopping", stopCause }, STOPPING_MS).catch(() => undefined);
    },
    exited: (exit) => write(patient, { state: "exited", exit }),
  };
}

export function toExtensions(record: StepRecord): Record<string, AnyValue> {
  return { [RECORD_EXTENSION]: toRecordValue(record) };
}
