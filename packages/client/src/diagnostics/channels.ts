import type {
  OutageDiagnostic,
  RegistryRequestDiagnostic,
  RetryDiagnostic,
  RpcDiagnostic,
  TransferDiagnostic,
} from "./messages.js";
import { createTrace } from "./trace.js";

export const RPC = createTrace<RpcDiagnostic>("wfe-containerd.rpc");
export const REGISTRY_REQUEST = createTrace<RegistryRequestDiagnostic>("wfe-containerd.registry-request");
export const TRANSFER = createTrace<TransferDiagnostic>("wfe-containerd.transfer");
export const OUTAGE = createTrace<OutageDiagnostic>("wfe-containerd.outage");
export const RETRY = createTrace<RetryDiagnostic>("wfe-containerd.retry");
