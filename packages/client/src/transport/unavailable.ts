import { connect } from "node:net";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Address } from "../address.js";

/**
 * Says why a daemon cannot be reached. grpc-js folds every cause into one sentence about connections; the words of the system are
 * in it, and what is missing there the socket itself tells.
 */
export async function explainUnavailable(error: ConnectError, address: Address): Promise<ConnectError> {
  if (
    error.code !== Code.Unavailable ||
    !/No connection established|Connection dropped|failed to connect/i.test(error.rawMessage)
  )
    return error;
  const system = address.socketPath === undefined ? undefined : await probe(address.socketPath);
  const reason = describe(`${system ?? ""} ${error.rawMessage}`, address);
  return new ConnectError(reason, Code.Unavailable, error.metadata, undefined, error);
}

function describe(text: string, { text: address, socketPath, isTls }: Address): string {
  if (/ENOENT|ENOTDIR/.test(text))
    return `there is no socket ${socketPath}: is containerd running, and is this its address?`;
  if (/EACCES|EPERM/.test(text))
    return `no permission to open ${socketPath}: it is root's; run as root, or give the socket a group (containerd's [grpc] gid)`;
  if (/ECONNREFUSED/.test(text)) return `nothing answers at ${address}: is containerd running?`;
  if (/ENOTFOUND|EAI_AGAIN|Name resolution failed/.test(text))
    return `there is no host of that name: ${address}`;
  if (/ETIMEDOUT|EHOSTUNREACH|ENETUNREACH/.test(text)) return `${address} cannot be reached`;
  if (/self.signed|unable to (?:verify|get)|CERT_|ERR_TLS_CERT_ALTNAME_INVALID|altnames/i.test(text))
    return `the certificate of ${address} is not trusted: give the authority that signed it as tls.ca, and its name as tls.serverName (${shorten(text)})`;
  if (/certificate required|bad certificate|alert number (?:42|116)|unknown ca|handshake failure/i.test(text))
    return `${address} does not accept our certificate: give one that it trusts as tls.cert and tls.key (${shorten(text)})`;
  if (/wrong version number|ERR_SSL|EPROTO/.test(text))
    return `${address} does not speak TLS, or not ours: is it served in plain? (${shorten(text)})`;
  if (/Protocol error|ERR_HTTP2|frame|ECONNRESET|socket hang up|Connection dropped|closed/i.test(text))
    return `the connection to ${address} was cut; if it always is, what answers there does not speak containerd's protocol${isTls ? "" : ", or wants TLS"} (${shorten(text)})`;
  return `${address} cannot be reached (${shorten(text)})`;
}

function shorten(text: string): string {
  return text
    .replace(/.*Last error: /, "")
    .replace(/\s+/g, " ")
    .trim()
    .slice(0, 200);
}

/** The system's word for why a socket cannot be opened; undefined when it can. */
async function probe(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code));
  });
}
