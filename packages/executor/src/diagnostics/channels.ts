import { createTrace, type Trace } from "@wfe-containerd/client/internal";
import type {
  ExecDiagnostic,
  PhaseDiagnostic,
  ReapDiagnostic,
  ReleaseDiagnostic,
  StepDiagnostic,
} from "./messages.js";

export const STEP: Trace<StepDiagnostic> = createTrace("wfe-containerd.step");
export const EXEC: Trace<ExecDiagnostic> = createTrace("wfe-containerd.exec");
export const PHASE: Trace<PhaseDiagnostic> = createTrace("wfe-containerd.phase");
export const RELEASE: Trace<ReleaseDiagnostic> = createTrace("wfe-containerd.release");
export const REAP: Trace<ReapDiagnostic> = createTrace("wfe-containerd.reap");
