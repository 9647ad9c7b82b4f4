import { type Attributes, SpanKind } from "@opentelemetry/api";
import type {
  OutageDiagnostic,
  RegistryRequestDiagnostic,
  RetryDiagnostic,
  RpcDiagnostic,
  TransferDiagnostic,
} from "@wfe-containerd/client";
import type {
  ExecDiagnostic,
  PhaseDiagnostic,
  ReapDiagnostic,
  ReleaseDiagnostic,
  StepDiagnostic,
} from "../messages.js";
import {
  execAttributes,
  outageAttributes,
  phaseAttributes,
  reapAttributes,
  releaseAttributes,
  requestAttributes,
  requestError,
  retryAttributes,
  rpcAttributes,
  runError,
  stepAttributes,
  transferAttributes,
} from "./attributes.js";

/** The span of one kind of operation. */
export interface SpanRule<Message> {
  name(message: Message): string;
  attributes(message: Message): Attributes;
  readonly kind?: SpanKind;
  /** Why the operation failed, if it did. Default: its `errorKind`. */
  error?(message: Message): string | undefined;
}

/** Answers that callers ask for. They do not make a call a failed one. */
const EXPECTED_ANSWERS: readonly (string | undefined)[] = ["not-found", "already-exists", "canceled"];

export const RPC_SPAN: SpanRule<RpcDiagnostic> = {
  name: ({ service, method }) => `${service}/${method}`,
  attributes: rpcAttributes,
  kind: SpanKind.CLIENT,
  error: ({ errorKind }) => (EXPECTED_ANSWERS.includes(errorKind) ? undefined : errorKind),
};

export const REQUEST_SPAN: SpanRule<RegistryRequestDiagnostic> = {
  name: ({ method, resource }) => `${method} ${resource}`,
  attributes: requestAttributes,
  kind: SpanKind.CLIENT,
  error: requestError,
};

export const TRANSFER_SPAN: SpanRule<TransferDiagnostic> = {
  name: ({ operation }) => operation,
  attributes: transferAttributes,
};

export const OUTAGE_SPAN: SpanRule<OutageDiagnostic> = {
  name: () => "daemon away",
  attributes: outageAttributes,
};

export const RETRY_SPAN: SpanRule<RetryDiagnostic> = {
  name: () => "wait for retry",
  attributes: retryAttributes,
};

export const STEP_SPAN: SpanRule<StepDiagnostic> = {
  name: ({ name }) => (name === undefined ? "step" : `step ${name}`),
  attributes: stepAttributes,
  error: runError,
};

export const EXEC_SPAN: SpanRule<ExecDiagnostic> = {
  name: ({ name }) => (name === undefined ? "exec" : `exec ${name}`),
  attributes: execAttributes,
  error: runError,
};

export const PHASE_SPAN: SpanRule<PhaseDiagnostic> = {
  name: ({ phase }) => phase,
  attributes: phaseAttributes,
};

export const RELEASE_SPAN: SpanRule<ReleaseDiagnostic> = {
  name: () => "release",
  attributes: releaseAttributes,
};

export const REAP_SPAN: SpanRule<ReapDiagnostic> = {
  name: () => "reap",
  attributes: reapAttributes,
};
