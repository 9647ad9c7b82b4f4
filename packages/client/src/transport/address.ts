import { BlockList, isIPv4, isIPv6 } from "node:net";
import { refuse } from "../refuse.js";

/** The address of a daemon. */
export interface Address {
  /**
   * The address in its printed form: `unix:///run/containerd/containerd.sock`, `tcp://127.0.0.1:2500`,
   * `https://host:2500`.
   */
  readonly text: string;
  /** The address in gRPC's form. */
  readonly target: string;
  /** True for a Unix socket: the daemon runs on this machine. */
  readonly isLocal: boolean;
  readonly isTls: boolean;
  /** The socket's path; undefined for TCP. */
  readonly socketPath: string | undefined;
  /** Start of each call's URL. For a socket, the host in it is `localhost`. */
  readonly url: string;
  /** The host for TCP, without brackets for IPv6; `localhost` for a socket. */
  readonly host: string;
  /** The port for TCP; 0 for a socket. */
  readonly port: number;
}

export interface AddressOptions {
  /** Allows plain text (no TLS) to another machine. Default `false`. */
  readonly insecure?: boolean | undefined;
  /** The name of the option or variable that contains the address, for errors. Default `address`. */
  readonly field?: string | undefined;
}

/** The address where containerd listens by default (`defaults.DefaultAddress`). */
export const DEFAULT_ADDRESS = "/run/containerd/containerd.sock";

const ALLOWED = "/path, unix:///path, tcp://host:port, http://host:port, https://host:port";
/** `sun_path` has 108 bytes; the last one is a NUL. */
const MAX_PATH_BYTES = 107;
const HOST_LABEL = /^[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?$/;

/**
 * Parses an address. Plain text to another machine is refused unless `insecure` is set: anyone who can read
 * or change the traffic becomes root on that machine.
 *
 * @throws ContainerdError `invalid-argument`.
 */
export function parseAddress(
  text: string,
  { insecure = false, field = "address" }: AddressOptions = {},
): Address {
  const reject = (problem: string, allowed: string = ALLOWED): never =>
    refuse(`${field}: ${show(text)} ${problem}`, allowed);
  if (text === "") reject("is empty");
  for (const char of text) if (char < " " || char === "\x7f") reject("has a control character");

  const [, scheme, rest = ""] = /^([a-z]+):(.*)$/i.exec(text) ?? [];
  if (scheme === undefined || scheme === "unix")
    return parseSocket(scheme === undefined ? text : rest, reject);
  if (scheme !== "tcp" && scheme !== "http" && scheme !== "https") return reject(`has the scheme ${scheme}:`);
  if (!rest.startsWith("//")) reject(`has no // after ${scheme}:`);
  const { host, port } = parseAuthority(rest.slice(2), reject);
  const isTls = scheme === "https";
  if (!isTls && !insecure && !isLoopback(host)) {
    reject(
      "is an unencrypted connection to another machine",
      "https:// with tls; or insecure: true, if no other machine uses that network",
    );
  }
  const authority = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  return {
    text: `${isTls ? "https" : "tcp"}://${authority}`,
    target: `dns:${authority}`,
    url: `${isTls ? "https" : "http"}://${authority}`,
    isLocal: false,
    isTls,
    socketPath: undefined,
    host,
    port,
  };
}

type Reject = (problem: string, allowed?: string) => never;

function parseSocket(rest: string, reject: Reject): Address {
  const path = rest.startsWith("//") ? rest.slice(2) : rest;
  if (!path.startsWith("/")) reject("is neither an absolute path nor a URL");
  if (path.endsWith("/"))
    reject("is a directory", "a socket's path, for example /run/containerd/containerd.sock");
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) {
    reject(
      `has ${Buffer.byteLength(path)} bytes`,
      `up to ${MAX_PATH_BYTES} bytes, the kernel's limit for a socket's path`,
    );
  }
  const text = `unix://${path}`;
  return {
    text,
    target: text,
    url: "http://localhost",
    isLocal: true,
    isTls: false,
    socketPath: path,
    host: "localhost",
    port: 0,
  };
}

function parseAuthority(rest: string, reject: Reject): { host: string; port: number } {
  if (rest.includes("@")) reject("contains credentials", "host:port, and certificates in tls");
  const authority = rest.endsWith("/") ? rest.slice(0, -1) : rest;
  if (/[/?#]/.test(authority)) reject("has more text after the port", "host:port");
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:]*))(?::([^:]*))?$/.exec(authority) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined) {
    return reject("has an IPv6 host without brackets, or more than one port", "host:port, [::1]:2500");
  }
  if (bracketed !== undefined ? !isIPv6(host) || host.includes("%") : !isHost(host)) {
    reject(
      host === "" ? "has no host" : "has an invalid host",
      "a name, an IPv4 address, an IPv6 address in brackets",
    );
  }
  if (port === undefined || port === "")
    return reject("has no port", "host:port, for example 127.0.0.1:2500");
  if (!/^[1-9]\d{0,4}$/.test(port) || Number(port) > 65_535)
    reject(`has an invalid port: ${port.slice(0, 20)}`, "1 to 65535");
  return { host, port: Number(port) };
}

function isHost(host: string): boolean {
  if (isIPv4(host)) return true;
  const labels = host.replace(/\.$/, "").split(".");
  // A name that ends in a number would be read as an IPv4 address in an old notation.
  if (host.length > 253 || /^(?:\d+|0x[\da-f]*)$/i.test(labels.at(-1) ?? "")) return false;
  return labels.every((label) => label.length <= 63 && HOST_LABEL.test(label));
}

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8, "ipv4");
LOOPBACK.addAddress("::1", "ipv6");

function isLoopback(host: string): boolean {
  if (isIPv4(host)) return LOOPBACK.check(host, "ipv4");
  if (isIPv6(host)) return LOOPBACK.check(host, "ipv6");
  return host.toLowerCase() === "localhost";
}

/** The part before an @ may be a password. */
function show(text: string): string {
  return JSON.stringify(text.replace(/^([a-z]*:\/*)?.*@/is, "$1***@").slice(0, 200));
}
