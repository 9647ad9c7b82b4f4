import type { Attributes } from "@opentelemetry/api";
import type {
  OutageDiagnostic,
  RegistryRequestDiagnostic,
  RetryDiagnostic,
  RpcDiagnostic,
  TransferDiagnostic,
} from "@wfe-containerd/client";
import type {
  EndDiagnostic,
  ExecDiagnostic,
  PhaseDiagnostic,
  ReapDiagnostic,
  ReleaseDiagnostic,
  StepDiagnostic,
} from "../messages.js";

// Names are those of OpenTelemetry's semantic conventions for RPC, HTTP and containers, as far as they go. At
// the start of an operation, what is known only at its end is undefined, and OpenTelemetry leaves it out.

type Known = Record<string, string | number | boolean | string[] | undefined>;

export function rpcAttributes(message: RpcDiagnostic): Attributes {
  return known({
    "rpc.system": "grpc",
    "rpc.service": message.service,
    "rpc.method": message.method,
    "rpc.grpc.status_code": message.code,
    "network.transport": message.transport === "unix" ? "unix" : "tcp",
    ...serverOf(message.address),
    "wfe_containerd.namespace": message.namespace,
    "wfe_containerd.rpc.attempt": message.attempt > 1 ? message.attempt : undefined,
    "error.type": message.errorKind,
  });
}

export function requestAttributes(message: RegistryRequestDiagnostic): Attributes {
  return known({
    "http.request.method": message.method,
    "http.response.status_code": message.status,
    "http.request.body.size": message.sentBytes,
    "http.response.body.size": message.durationMs === undefined ? undefined : message.receivedBytes,
    "url.scheme": message.scheme,
    ...serverOf(`${message.scheme}://${message.host}`),
    "wfe_containerd.registry.repository": message.repository,
    "wfe_containerd.registry.resource": message.resource,
    "error.type": requestError(message),
  });
}

/** An answer such as 401 or 404 is a part of the protocol. */
export function requestError({ errorKind, status }: RegistryRequestDiagnostic): string | undefined {
  return errorKind ?? (status !== undefined && status >= 500 ? String(status) : undefined);
}

export function transferAttributes(message: TransferDiagnostic): Attributes {
  return known({
    "container.image.name": message.image,
    "oci.manifest.digest": message.digest,
    "wfe_containerd.namespace": message.namespace,
    "wfe_containerd.transfer.via": message.via,
    "error.type": message.errorKind,
  });
}

export function outageAttributes(message: OutageDiagnostic): Attributes {
  return known({
    ...serverOf(message.address),
    "wfe_containerd.reason": message.reason,
    "error.type": message.errorKind,
  });
}

export function retryAttributes(message: RetryDiagnostic): Attributes {
  return known({
    "wfe_containerd.retry.of": message.of,
    "wfe_containerd.retry.what": message.what,
    "wfe_containerd.retry.attempt": message.attempt,
    "wfe_containerd.reason": message.reason,
    "error.type": message.errorKind,
  });
}

export function stepAttributes(message: StepDiagnostic): Attributes {
  return known({
    "container.id": message.id,
    "container.image.name": message.image,
    "process.exit.code": message.exitCode,
    "wfe_containerd.step.name": message.name,
    "wfe_containerd.step.cause": message.cause,
    "wfe_containerd.step.attempt": message.attempt > 1 ? message.attempt : undefined,
    "error.type": runError(message),
  });
}

export function execAttributes(message: ExecDiagnostic): Attributes {
  return known({
    "container.id": message.stepId,
    "process.exit.code": message.exitCode,
    "wfe_containerd.exec.id": message.id,
    "wfe_containerd.step.name": message.name,
    "wfe_containerd.step.cause": message.cause,
    "error.type": runError(message),
  });
}

/** Why something failed: it could not be run, or it did not end by itself with exit code 0. */
export function runError({ errorKind, cause, exitCode }: EndDiagnostic): string | undefined {
  return errorKind ?? (cause === "exit" && exitCode === 0 ? undefined : cause);
}

export function phaseAttributes(message: PhaseDiagnostic): Attributes {
  return known({ "container.id": message.id, "error.type": message.errorKind });
}

export function releaseAttributes(message: ReleaseDiagnostic): Attributes {
  return known({
    "container.id": message.id,
    "wfe_containerd.release.attempt": message.attempt,
    "wfe_containerd.release.left": message.unreleased.map(({ kind }) => kind),
    "error.type": message.errorKind,
  });
}

export function reapAttributes(message: ReapDiagnostic): Attributes {
  return known({
    ...serverOf(message.address),
    "wfe_containerd.namespace": message.namespace,
    "wfe_containerd.reap.dry_run": message.dryRun,
    "wfe_containerd.reap.removed": message.removed.length,
    "wfe_containerd.reap.failed": message.failed.length,
    "error.type": message.errorKind,
  });
}

/** A Unix socket has its path as the address, and no port. */
export function serverOf(address: string): { "server.address": string; "server.port": number | undefined } {
  if (address.startsWith("unix://"))
    return { "server.address": address.slice("unix://".length), "server.port": undefined };
  const { hostname, port, protocol } = new URL(address);
  const usual = protocol === "http:" ? 80 : 443;
  return { "server.address": hostname, "server.port": port === "" ? usual : Number(port) };
}

/** Leaves out what is undefined. */
export function known(attributes: Known): Attributes {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined));
}
