import { checkOptions, type OptionNames } from "../options.js";
import { refuse } from "../refuse.js";
import { OUTAGE, REGISTRY_REQUEST, RETRY, RPC, TRANSFER } from "./channels.js";
import type {
  OutageDiagnostic,
  RegistryRequestDiagnostic,
  RetryDiagnostic,
  RpcDiagnostic,
  TransferDiagnostic,
} from "./messages.js";
import { findObserverProblems, type OperationObserver, subscribeTo } from "./subscribe.js";

/** What to observe of the clients of this process. */
export interface ClientObserver {
  readonly rpc?: OperationObserver<RpcDiagnostic> | undefined;
  readonly registryRequest?: OperationObserver<RegistryRequestDiagnostic> | undefined;
  readonly transfer?: OperationObserver<TransferDiagnostic> | undefined;
  readonly outage?: OperationObserver<OutageDiagnostic> | undefined;
  readonly retry?: OperationObserver<RetryDiagnostic> | undefined;
}

const BOTH = { start: true, end: true } as const;

export const CLIENT_OBSERVER: OptionNames<ClientObserver> = {
  rpc: BOTH,
  registryRequest: BOTH,
  transfer: BOTH,
  outage: BOTH,
  retry: BOTH,
};

/**
 * Observes all clients of this process, from now on. Messages never have secrets, credentials, headers or
 * what an RPC carries. The functions are called in the middle of the work, so they must be quick; if one
 * throws, Node ends the process.
 *
 * @returns ends the observation.
 * @example
 * ```
 * const stop = observe({ rpc: { end: ({ method, durationMs }) => console.error(method, durationMs) } });
 * ```
 */
export function observe(observer: ClientObserver): () => void {
  checkOptions("observe", observer, CLIENT_OBSERVER);
  const [problem] = findObserverProblems(observer);
  if (problem !== undefined) refuse(problem);
  const stops = [
    subscribeTo(RPC, observer.rpc),
    subscribeTo(REGISTRY_REQUEST, observer.registryRequest),
    subscribeTo(TRANSFER, observer.transfer),
    subscribeTo(OUTAGE, observer.outage),
    subscribeTo(RETRY, observer.retry),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}
