import type {
  OutageDiagnostic,
  RegistryRequestDiagnostic,
  RetryDiagnostic,
  RpcDiagnostic,
  TransferDiagnostic,
} from "./messages.js";

// One line for each message. At the start of an operation it has no duration yet.

export function describeRpc(message: RpcDiagnostic): string {
  const { service, method, namespace, attempt } = message;
  const name = `${service.split(".").at(-1)}.${method}`;
  return joinParts(
    `rpc ${name}`,
    `namespace ${namespace}`,
    attempt > 1 && `attempt ${attempt}`,
    describeOutcome(message),
  );
}

export function describeOutage(message: OutageDiagnostic): string {
  const { address, reason, durationMs, errorKind } = message;
  if (durationMs === undefined) return `daemon ${address} is away: ${reason}`;
  const end = errorKind === undefined ? "is back" : "was not back when its client was closed";
  return `daemon ${address} ${end}, ${formatDuration(durationMs)} later`;
}

export function describeRequest(message: RegistryRequestDiagnostic): string {
  const { method, scheme, host, repository, resource, status, sentBytes, receivedBytes } = message;
  return joinParts(
    `registry ${method} ${scheme}://${host} ${repository === undefined ? "" : `${repository} `}${resource}`,
    status !== undefined && `status ${status}`,
    sentBytes > 0 && `sent ${sentBytes} bytes`,
    receivedBytes > 0 && `received ${receivedBytes} bytes`,
    describeOutcome(message),
  );
}

export function describeTransfer(message: TransferDiagnostic): string {
  const { operation, image, via, digest } = message;
  return joinParts(
    `${operation} ${image}`,
    via === "daemon" && "by the daemon",
    digest,
    describeOutcome(message),
  );
}

export function describeRetry({ of, what, attempt, delayMs, reason }: RetryDiagnostic): string {
  const topic = of === "registry-request" ? "registry" : of;
  return `${topic} ${what}: attempt ${attempt} in ${formatDuration(delayMs)}, because ${reason}`;
}

/** How long it took, and why it failed; at its start, that it begins. */
export function describeOutcome(message: {
  readonly durationMs?: number | undefined;
  readonly errorKind?: string | undefined;
}): string {
  const { durationMs, errorKind } = message;
  if (durationMs === undefined) return "begins";
  return errorKind === undefined
    ? formatDuration(durationMs)
    : `failed after ${formatDuration(durationMs)}: ${errorKind}`;
}

export function formatDuration(ms: number): string {
  return ms < 1000 ? `${ms.toFixed(1)} ms` : `${(ms / 1000).toFixed(2)} s`;
}

/** Parts of a line. A part that is not given is left out. */
export function joinParts(...parts: readonly (string | false | undefined)[]): string {
  return parts.filter((part) => part !== false && part !== undefined).join(", ");
}
