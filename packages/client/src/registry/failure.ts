import { ContainerdError, type ErrorKind } from "../error.js";
import { parseRetryAfter } from "./retry.js";

/** The `cause` of a ContainerdError that comes from a registry: what a program may want to know of the answer. */
export interface RegistryFailure {
  /** HTTP status; undefined when there was no answer. */
  readonly status?: number | undefined;
  /** Code of the distribution spec: `MANIFEST_UNKNOWN`; or Node's of the transport: `ECONNREFUSED`. */
  readonly code?: string | undefined;
  /** The same request may succeed later. */
  readonly isTransient: boolean;
  /** Milliseconds that the registry asked to wait. */
  readonly retryAfterMs?: number | undefined;
}

/** What went wrong, where a registry is to blame. */
export function failureOf(error: unknown): RegistryFailure | undefined {
  const cause = error instanceof ContainerdError ? error.cause : undefined;
  return typeof cause === "object" && cause !== null && "isTransient" in cause
    ? (cause as RegistryFailure)
    : undefined;
}

/** An answer that cannot be used, and will be no better the next time: another host's may be. */
export function uselessAnswer(message: string, kind: ErrorKind): ContainerdError {
  const cause: RegistryFailure = { isTransient: false };
  return new ContainerdError(message, { kind, cause });
}

/** An answer that is none of those that were hoped for. */
export interface RefusedAnswer {
  readonly status: number;
  /** The first kilobytes of the body. */
  readonly text: string;
  readonly retryAfter: string | undefined;
}

/** Time-outs, "too early", "too many", and nginx's "the client has gone", which a proxy between us says. */
const TRANSIENT_BELOW_500 = new Set([408, 425, 429, 499]);
/** Not implemented, HTTP version, loop, extension needed, log in to the network: the next time they are the same. */
const LASTING_FROM_500 = new Set([501, 505, 506, 508, 510, 511]);
const MAX_MESSAGE_LENGTH = 300;
/** What Go's servers say to plain http, and nginx. */
const WANTS_TLS = /HTTP request to an HTTPS server|HTTP request was sent to HTTPS port/i;
const SPEAKS_TLS = 'it wants https; set it in hosts.toml: server = "https://…", with its ca';

/**
 * @param what the subject of the message: `https://registry.example.com/v2/app/manifests/1`.
 * @param redact takes out of a text what the registry was told in confidence and may have said back.
 */
export function answerError(
  what: string,
  { status, text, retryAfter }: RefusedAnswer,
  redact: (text: string) => string,
  wallMs: number,
): ContainerdError {
  const { code, message } = parseErrors(text);
  const said = [code, message].filter((part) => part !== undefined && part !== "").join(": ");
  const cause: RegistryFailure = {
    status,
    code,
    isTransient: isTransientStatus(status),
    retryAfterMs: parseRetryAfter(retryAfter, wallMs),
  };
  const detail = said === "" ? "" : ` (${redact(said).slice(0, MAX_MESSAGE_LENGTH)})`;
  const wantsTls = status === 400 && WANTS_TLS.test(text) ? `: ${SPEAKS_TLS}` : "";
  return new ContainerdError(`${what} answers ${status}${detail}${wantsTls}`, {
    kind: kindOf(status),
    cause,
  });
}

/** Whether the same request may succeed later: what proxies and CDNs made up beyond the standard (520 to 530, 599) belongs here too. */
export function isTransientStatus(status: number): boolean {
  return status >= 500 ? status < 600 && !LASTING_FROM_500.has(status) : TRANSIENT_BELOW_500.has(status);
}

function kindOf(status: number): ErrorKind {
  switch (status) {
    case 401:
      return "unauthenticated";
    case 403:
      return "permission-denied";
    case 404:
      return "not-found";
    case 405:
    case 501:
      return "not-implemented";
    case 416:
      return "out-of-range";
    case 429:
      return "resource-exhausted";
    default:
      return status >= 500 || isTransientStatus(status) ? "unavailable" : "failed-precondition";
  }
}

/** The first of the errors in a body as the distribution spec has it. */
function parseErrors(text: string): { code?: string | undefined; message?: string | undefined } {
  try {
    const [first] = (JSON.parse(text) as { errors: { code?: unknown; message?: unknown }[] }).errors;
    const code =
      typeof first?.code === "string" && /^[A-Z_]{1,64}$/.test(first.code) ? first.code : undefined;
    return { code, message: typeof first?.message === "string" ? printable(first.message) : undefined };
  } catch {
    return {};
  }
}

function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]+/g, " ").trim();
}

const LASTING =
  /^(?:ERR_TLS|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|CERT_|ERR_SSL|ERR_OSSL|HPE_|ENOTFOUND|ERR_INVALID|UND_ERR_INVALID|EACCES|EPERM)/;

/**
 * No answer, or one that broke off. What the caller's signal did is not this function's business.
 *
 * @param mayComeBack whether to wait for somebody to listen where nobody does.
 */
export function transportError(what: string, reason: unknown, mayComeBack = true): ContainerdError {
  const inner = reason instanceof AggregateError && reason.errors.length > 0 ? reason.errors[0] : reason;
  const { code, message } = inner as { code?: unknown; message?: unknown };
  const name = typeof code === "string" ? code : undefined;
  const isLasting = name !== undefined && LASTING.test(name);
  const isTransient = !isLasting && (mayComeBack || name !== "ECONNREFUSED");
  const cause: RegistryFailure = { code: name, isTransient };
  return new ContainerdError(
    `${what}: ${EXPLANATIONS[name ?? ""] ?? (typeof message === "string" ? message : "failed")}`,
    {
      kind: isLasting ? "failed-precondition" : "unavailable",
      cause,
    },
  );
}

const EXPLANATIONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there; check that the registry runs, and its port",
  ECONNRESET: "the connection was cut",
  ENOTFOUND: "there is no host of that name; check the registry in the image's name",
  EAI_AGAIN: "the name cannot be resolved at the moment",
  UND_ERR_SOCKET: "the connection was cut",
  UND_ERR_CONNECT_TIMEOUT: "no connection within the time-out",
  UND_ERR_HEADERS_TIMEOUT: "no answer within the time-out",
  UND_ERR_BODY_TIMEOUT: "stalled: no bytes within the time-out",
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: "the answer's length is not what it says",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is self-signed; name it as ca, in hosts.toml, to trust it",
  SELF_SIGNED_CERT_IN_CHAIN:
    "its certificate's authority is not trusted; name it as ca, in hosts.toml, to trust it",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    "its certificate's authority is not trusted; name it as ca, in hosts.toml, to trust it",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    "its certificate's authority is not trusted; name it as ca, in hosts.toml, to trust it",
  CERT_HAS_EXPIRED: "its certificate has expired",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another name",
  ERR_SSL_WRONG_VERSION_NUMBER:
    "it does not speak TLS there; if it is plain http, name it in hosts.plainHttp (--plain-http)",
  HPE_INVALID_CONSTANT: "it does not speak http there; is it https?",
};
