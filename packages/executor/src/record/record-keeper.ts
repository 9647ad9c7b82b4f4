import type { AnyValue, Client } from "@wfe-containerd/client";
import type { StepEndCause } from "../core/output/cause.js";
import { RECORD_EXTENSION, type StepRecord, toRecordValue } from "../core/recovery/step-record.js";

/** How long to wait for the record before a signal, in milliseconds: the signal is more urgent. */
const STOPPING_MS = 1_000;

/** Writes the record of a step on its container, as the step goes on. */
export interface RecordKeeper {
  readonly record: StepRecord;
  /** The step's process may be started from now on. */
  ready(start: Required<Pick<StepRecord, "startedAtMs">> & Pick<StepRecord, "deadline">): Promise<void>;
  /** The start of the step's process is asked for. */
  starting(): void;
  /** The runtime has refused to start it. */
  refused(): void;
  /**
   * The step was not started, and will not be. Call it before the created process is killed: afterwards it
   * looks like one that ran.
   */
  notStarted(): Promise<void>;
  /** The same, if the step was not started. Never rejects. */
  giveUp(): Promise<void>;
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
  let mayRun = false;
  let written: Promise<unknown> = Promise.resolve();

  async function write(client: Client, change: Partial<StepRecord>, timeoutMs?: number): Promise<void> {
    const changed = { ...record, ...change };
    record = changed;
    const update = (): Promise<unknown> =>
      client.containers.update(id, { extensions: toExtensions(changed), timeoutMs });
    const own = written.then(update);
    written = own.catch(() => undefined);
    await own;
  }

  return {
    get record() {
      return record;
    },
    ready: (start) => write(patient, { ...start, state: "ready" }),
    starting() {
      mayRun = true;
    },
    refused() {
      mayRun = false;
    },
    notStarted: () => write(patient, { state: "preparing" }),
    async giveUp() {
      if (mayRun || record.state !== "ready") return;
      await write(impatient, { state: "preparing" }, STOPPING_MS).catch(() => undefined);
    },
    async stopping(stopCause) {
      await write(impatient, { state: "stopping", stopCause }, STOPPING_MS).catch(() => undefined);
    },
    exited: (exit) => write(patient, { state: "exited", exit }),
  };
}

export function toExtensions(record: StepRecord): Record<string, AnyValue> {
  return { [RECORD_EXTENSION]: toRecordValue(record) };
}
