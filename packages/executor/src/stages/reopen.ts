import type { WarnedPlan } from "../core/output/find-warnings.js";
import type { StepPlan } from "../core/plan/plan.js";
import type { StepRecord } from "../core/recovery/step-record.js";
import { backendOf } from "../io/backend.js";
import type { ReopenedIo } from "../io/file.js";
import type { Recorder } from "../log/recorder.js";
import type { EndPlan } from "../process/run-process.js";
import type { StepContext } from "./context.js";
import { recordOutput } from "./create.js";

/** The parts of a step's plan that its end depends on. */
export type ReopenedPlan = EndPlan & WarnedPlan & Pick<StepPlan, "name">;

/** A step that another process has started, and whose output is read from its beginning. */
export interface ReopenedStep {
  readonly plan: ReopenedPlan;
  readonly io: ReopenedIo;
  readonly recorder: Recorder;
}

/** Opens the output of such a step. */
export async function reopenOutput(context: StepContext, record: StepRecord): Promise<ReopenedIo> {
  const { directory, mode, seal } = record.output;
  const io = await backendOf(mode).reopen(context.machine, directory, Buffer.from(seal, "hex"));
  context.release.own(() => io.close());
  return io;
}

/**
 * Starts to read it.
 *
 * @param spec the step's OCI runtime spec, as its container has it.
 * @param masked the values of its secrets, which are masked in the output.
 */
export async function readOutput(
  context: StepContext,
  io: ReopenedIo,
  record: StepRecord,
  spec: unknown,
  masked: readonly Uint8Array[],
): Promise<ReopenedStep> {
  const freed = record.log.policy === "drop-oldest" ? await io.skipFreed(record.log.maxBytes) : undefined;
  const recorder = recordOutput(context, io, record.log, masked, freed);
  return { plan: planOf(record, spec), io, recorder };
}

/** The executor that started the step has written the spec. */
function planOf({ name, stop, programField }: StepRecord, spec: unknown): ReopenedPlan {
  const written = spec as WarnedPlan["container"]["spec"] & { readonly process: { readonly args: string[] } };
  return {
    name,
    stopSignal: stop.signal,
    stopGraceMs: stop.graceMs,
    timeoutMs: undefined,
    programField,
    args: written.process.args,
    container: { spec: written },
  };
}
