import { REGISTRY_REQUEST } from "./channels.js";
import type { RegistryRequestDiagnostic } from "./messages.js";
import type { Running } from "./trace.js";

/** What a request asks for, without anything that may be a secret. */
export type RequestSubject = Pick<RegistryRequestDiagnostic, "repository" | "resource">;

/** One request. It ends with the last byte of its answer. */
export interface RequestTrace extends Running {
  answered(status: number, method: string): void;
  /** Counts bytes of the answer's body. */
  received(bytes: number): void;
}

interface Request {
  readonly method: string;
  readonly url: URL;
  readonly about: RequestSubject;
  readonly sentBytes: number;
}

/** @returns undefined when nobody listens. */
export function traceRequest({ method, url, about, sentBytes }: Request): RequestTrace | undefined {
  if (!REGISTRY_REQUEST.hasSubscribers) return undefined;
  const message: RegistryRequestDiagnostic = {
    method,
    host: url.host,
    scheme: url.protocol === "http:" ? "http" : "https",
    repository: about.repository,
    resource: about.resource,
    status: undefined,
    sentBytes,
    receivedBytes: 0,
    durationMs: undefined,
    errorKind: undefined,
  };
  const running = REGISTRY_REQUEST.start(message);
  return {
    ...running,
    answered(status, sent) {
      message.status = status;
      // Such an answer has no body, and nobody reads it.
      if (sent === "HEAD" || status === 204) running.end();
    },
    received(bytes) {
      message.receivedBytes += bytes;
    },
  };
}
