import type { Client } from "@wfe-containerd/client";
import type { ReapReport } from "../record/leftover.js";
import { REAP } from "./channels.js";
import type { ReapDiagnostic } from "./messages.js";

/** Runs one search for what dead processes left. */
export function traceReap(
  { address, namespace }: Client,
  dryRun: boolean,
  reap: () => Promise<ReapReport>,
): Promise<ReapReport> {
  if (!REAP.hasSubscribers) return reap();
  const message: ReapDiagnostic = {
    address,
    namespace,
    dryRun,
    removed: [],
    failed: [],
    durationMs: undefined,
    errorKind: undefined,
  };
  return REAP.run(message, reap, ({ removed, failed }) => Object.assign(message, { removed, failed }));
}
