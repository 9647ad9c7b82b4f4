import { type Client, isContainerdError } from "@wfe-containerd/client";
import type { StepResult } from "../core/output/result.js";
import { LABELS } from "../core/plan/labels.js";
import { toKeptResult, toResultLabels } from "../core/recovery/kept-result.js";
import type { StepRecord } from "../core/recovery/step-record.js";
import type { Release } from "../resources/release.js";
import { keptResultId } from "./recorded-step.js";

/**
 * Sees to it that an attempt's result stays for a time, if its start asked for that. It is written before
 * anything of the step is released, so that a start of the same attempt always finds one of the two.
 */
export function keepResult(
  client: Client,
  id: string,
  run: StepRecord["run"],
  result: StepResult,
  release: Pick<Release, "add">,
): void {
  if (run?.keepResultMs === undefined) return;
  const { keepResultMs: expireMs } = run;
  const labels = toResultLabels(toKeptResult(run, result));
  if (labels === undefined) return;
  const lease = { id: keptResultId(id), expireMs, labels: { ...labels, [LABELS.claim]: id } };
  release.add({ kind: "lease", id: lease.id }, async () => {
    await client.leases.create(lease).catch((reason: unknown) => {
      // A process that died meanwhile may have written it.
      if (!isContainerdError(reason, "already-exists")) throw reason;
    });
  });
}
