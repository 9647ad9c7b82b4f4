import { ContainerdError } from "./error.js";

/** Where a daemon is. */
export interface Address {
  /** As it is printed: `unix:///run/containerd/containerd.sock`, `tcp://127.0.0.1:2500`, `https://host:2500`. */
  readonly text: string;
  /** As grpc-js takes it. */
  readonly target: string;
  /** A Unix socket: the daemon runs on this machine. */
  readonly isLocal: boolean;
  readonly isTls: boolean;
  /** The socket's path; undefined for TCP. */
  readonly socketPath: string | undefined;
}

export const DEFAULT_ADDRESS = "/run/containerd/containerd.sock";

const ALLOWED = "/path, unix:///path, tcp://host:port, http://host:port, https://host:port";
const TCP = /^(tcp|http|https):\/\/(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})\/?$/;

/**
 * Reads an address. Plain text to another machine is refused unless it is asked for: whoever can read or change what goes over it is
 * root there.
 *
 * @throws ContainerdError `invalid-argument`.
 */
export function parseAddress(
  text: string,
  options: { readonly insecure?: boolean | undefined } = {},
): Address {
  const path = /^(?:unix:(?:\/\/)?)?(\/[^\0\r\n]*)$/.exec(text)?.[1];
  if (path !== undefined) {
    return {
      text: `unix://${path}`,
      target: `unix://${path}`,
      isLocal: true,
      isTls: false,
      socketPath: path,
    };
  }
  const [, scheme, host = "", port = ""] = TCP.exec(text) ?? [];
  if (scheme === undefined) refuse(text, "is none");
  if (Number(port) < 1 || Number(port) > 65_535) refuse(text, "has a port that is none");
  const isTls = scheme === "https";
  if (!isTls && !isLoopback(host) && options.insecure !== true) {
    refuse(
      text,
      "is plain text to another machine",
      "https:// with tls, or insecure: true if nobody else is on that network",
    );
  }
  return {
    text: `${isTls ? "https" : "tcp"}://${host}:${port}`,
    target: `dns:${host}:${port}`,
    isLocal: false,
    isTls,
    socketPath: undefined,
  };
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "[::1]" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}

function refuse(text: string, problem: string, allowed = ALLOWED): never {
  // Whatever stands before an @ may be a password.
  const shown = JSON.stringify(text.replace(/\/\/[^/@]*@/, "//***@").slice(0, 200));
  throw new ContainerdError(`address: ${shown} ${problem}; allowed: ${allowed}`, {
    kind: "invalid-argument",
  });
}
