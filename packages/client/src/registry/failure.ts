import { ContainerdError, type ErrorKind } from "../error.js";
import { parseRetryAfter } from "./retry.js";

/** The `cause` of a ContainerdError that comes from a registry: the facts of the answer, for a program. */
export interface RegistryFailure {
  /** HTTP status; undefined if there was no answer. */
  readonly status?: number | undefined;
  /**
   * Error code of the distribution spec, for example `MANIFEST_UNKNOWN`; or Node's code for a failed
   * connection, for example `ECONNREFUSED`.
   */
  readonly code?: string | undefined;
  /** Whether the same request may succeed later. */
  readonly isTransient: boolean;
  /** How long the registry asked us to wait, in milliseconds. */
  readonly retryAfterMs?: number | undefined;
}

/**
 * Returns the registry's part of an error; undefined if the error does not come from a registry.
 *
 * @example
 * ```ts
 * try {
 *   await client.images.pull("registry.example.com/app:1");
 * } catch (error) {
 *   if (failureOf(error)?.status === 429) console.error("the registry's rate limit is reached");
 * }
 * ```
 */
export function failureOf(error: unknown): RegistryFailure | undefined {
  const cause = error instanceof ContainerdError ? error.cause : undefined;
  return typeof cause === "object" && cause !== null && "isTransient" in cause
    ? (cause as RegistryFailure)
    : undefined;
}

/**
 * Returns an error for an answer that cannot be used. The same host will not give a better one, but another
 * host may.
 */
export function uselessAnswer(message: string, kind: ErrorKind): ContainerdError {
  const cause: RegistryFailure = { isTransient: false };
  return new ContainerdError(message, { kind, cause });
}

/** An answer with a status that the request does not accept. */
export interface RefusedAnswer {
  readonly status: number;
  /** The first kilobytes of the body. */
  readonly text: string;
  readonly retryAfter: string | undefined;
}

/**
 * Time-out, "too early", "too many requests", and nginx's "client closed request", which a proxy may send.
 */
const TRANSIENT_BELOW_500 = new Set([408, 425, 429, 499]);
/**
 * Not implemented, HTTP version, variant loop, loop, extension needed, login to the network needed. A retry
 * would get the same answer.
 */
const LASTING_FROM_500 = new Set([501, 505, 506, 508, 510, 511]);
const MAX_MESSAGE_LENGTH = 300;
/** How Go's servers and nginx answer plain http on a TLS port. */
const WANTS_TLS = /HTTP request to an HTTPS server|HTTP request was sent to HTTPS port/i;
const SPEAKS_TLS = 'this port expects https; set it in hosts.toml: server = "https://…", with its ca';

/**
 * @param what the subject of the message, for example `https://registry.example.com/v2/app/manifests/1`.
 * @param redact removes secrets from a text. The registry may repeat a secret that it was sent.
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

/**
 * Whether the same request may succeed later. This includes the codes that proxies and CDNs use outside the
 * standard (520 to 530, 599).
 */
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

/** Reads the first error from a body in the form of the distribution spec. */
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
 * Returns the error for a request without an answer, or with an answer that broke off. The caller checks for
 * an abort first.
 *
 * @param mayComeBack whether ECONNREFUSED counts as transient, because the server may be restarting.
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
  ECONNREFUSED: "nothing listens on this port; check that the registry runs, and the port",
  ECONNRESET: "the connection was cut",
  ENOTFOUND: "a host with this name does not exist; check the registry's name, and this machine's DNS",
  EAI_AGAIN: "the name cannot be resolved at the moment",
  UND_ERR_SOCKET: "the connection was cut",
  UND_ERR_CONNECT_TIMEOUT: "no connection within the time-out",
  UND_ERR_HEADERS_TIMEOUT: "no answer within the time-out",
  UND_ERR_BODY_TIMEOUT: "stalled: no bytes within the time-out",
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: "the answer is shorter or longer than its Content-Length",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is self-signed; to trust it, set it as ca in hosts.toml",
  SELF_SIGNED_CERT_IN_CHAIN:
    "the authority of its certificate is not trusted; to trust it, set it as ca in hosts.toml",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    "the authority of its certificate is not trusted; to trust it, set it as ca in hosts.toml",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    "the authority of its certificate is not trusted; to trust it, set it as ca in hosts.toml",
  CERT_HAS_EXPIRED: "its certificate has expired",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another name",
  ERR_SSL_WRONG_VERSION_NUMBER:
    "this port does not speak TLS; if it is plain http, add the host to hosts.plainHttp (--plain-http)",
  HPE_INVALID_CONSTANT: "this port does not speak http; does it expect https?",
};
