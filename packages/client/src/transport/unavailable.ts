import { Code, ConnectError } from "@connectrpc/connect";
import type { StatusObject } from "@grpc/grpc-js";
import { explain } from "../explain.js";
import type { Address } from "./address.js";
import type { Connection } from "./connection.js";
import { type Finding, probe } from "./probe.js";
import { toConnectError } from "./status.js";
import { markUnreached } from "./unreached.js";

/**
 * Messages of grpc-js for a call that was never sent, and for a connection that broke during a call. The
 * daemon's own messages are different.
 */
const NOT_CONNECTED = /^(?:No connection established|Name resolution failed|Failed to connect)/;
const CUT =
  /^(?:Connection dropped|Write (?:error|failed)|Stream refused by server|Call cancelled$|read E[A-Z]+$|write E[A-Z]+$)/;

/**
 * Converts a call's status to an error. If the daemon could not be reached, it is probed once more, and the
 * message says why and what to do.
 */
export async function explainStatus(
  status: StatusObject,
  { address, tls }: Pick<Connection, "address" | "tls">,
  signal: AbortSignal,
): Promise<ConnectError> {
  const error = toConnectError(status);
  if (signal.aborted) return error;
  const { code, rawMessage } = error;
  if (code === Code.Unavailable && NOT_CONNECTED.test(rawMessage))
    return markUnreached(
      await explain(error, async () => describeFinding(await probe(address, tls), address)),
    );
  // Node also reports the end of a connection to its streams as a cancel.
  if ((code === Code.Unavailable || code === Code.Canceled) && CUT.test(rawMessage)) {
    const text = `the connection to ${address.text} was cut during the call`;
    return markUnreached(new ConnectError(text, Code.Unavailable, error.metadata, undefined, error));
  }
  if (code === Code.Unimplemented && /^unknown (?:service|method) /.test(rawMessage))
    return explain(error, () => describeUnknown(rawMessage, address));
  return error;
}

/** Returns a sentence for the user: what is wrong, and what to do about it. */
export function describeFinding(finding: Finding, { text, socketPath, isTls }: Address): string {
  switch (finding.kind) {
    case "http2":
      return `the connection to ${text} was lost, and the daemon is starting again: try again`;
    case "http1":
      return `the server at ${text} speaks HTTP/1 and is not containerd: is this another daemon's address?`;
    case "tls":
      return `the server at ${text} expects TLS: give the address as https://, with tls`;
    case "silent":
      return `something listens at ${text}, but does not answer: does the daemon hang, or is it not containerd?`;
    case "closes":
      return isTls
        ? hungUp(text)
        : `the server at ${text} closed the connection at once: it is not containerd, or its gRPC service has another address`;
    case "other":
      return `the server at ${text} does not speak gRPC: is this containerd's address?`;
    case "error":
      return finding.isTls ? describeTls(finding, text) : describeSystem(finding, text, socketPath);
  }
}

function describeSystem(
  { code, message }: Finding & { kind: "error" },
  text: string,
  path: string | undefined,
): string {
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
      return path === undefined
        ? `the host of ${text} does not exist`
        : `the socket ${path} does not exist: is containerd running, and is this its address?`;
    case "EACCES":
    case "EPERM":
      return `no permission to open ${path ?? text}: run as root, or let containerd give the socket to your group ([grpc] gid)`;
    case "ECONNREFUSED":
      return path === undefined
        ? `nothing listens at ${text}: is containerd running, and reachable on this port?`
        : `nothing listens on the socket ${path}: containerd has ended; start it`;
    case "ENOTSOCK":
      return `${path} is not a socket: is this containerd's address?`;
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `the host of ${text} does not exist, or the name cannot be looked up now`;
    case "ETIMEDOUT":
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return `${text} cannot be reached: is the machine up, and the port open?`;
    default:
      return `${text} cannot be reached: ${message}`;
  }
}

const UNTRUSTED = /^(?:DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|CERT_|ERR_TLS_CERT)/;

function describeTls({ code, message }: Finding & { kind: "error" }, text: string): string {
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID")
    return `the certificate of ${text} is for another name: give that name as tls.serverName (${message})`;
  if (UNTRUSTED.test(code))
    return `the certificate of ${text} is not trusted: give the authority that signed it as tls.ca (${message})`;
  if (/alert/i.test(message))
    return `${text} does not accept our certificate: give one that it trusts as tls.cert and tls.key (${code})`;
  if (
    code === "ERR_SSL_WRONG_VERSION_NUMBER" ||
    code === "ERR_SSL_PACKET_LENGTH_TOO_LONG" ||
    code === "EPROTO"
  )
    return `${text} does not speak TLS: is its address tcp://?`;
  if (code === "ECONNRESET") return hungUp(text);
  return `the TLS handshake with ${text} failed: ${message}`;
}

/** Not every server sends the reason. */
function hungUp(text: string): string {
  return `${text} closed the connection during the TLS handshake: if it does not accept our certificate, give one that it trusts as tls.cert and tls.key`;
}

function describeUnknown(message: string, { isLocal }: Address): string {
  const why = isLocal
    ? "this containerd is too old for it"
    : "this containerd is too old for it; or this is its tcp_address, which serves only Kubernetes: forward a port to its socket instead (socat, or a TLS proxy)";
  return `${message}: ${why}`;
}
