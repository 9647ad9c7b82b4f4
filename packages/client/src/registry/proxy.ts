import { BlockList, isIP } from "node:net";
import { refuse } from "../refuse.js";
import { hostName, isLoopback } from "./plain-http.js";

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

const SCHEMES = ["http:", "https:", "socks5:"];

/**
 * Returns the proxy for a URL, by the rules of Go's programs such as containerd: HTTPS_PROXY for https,
 * HTTP_PROXY for http, in upper or lower case. This machine and the hosts in NO_PROXY are reached directly.
 *
 * Source: golang.org/x/net/http/httpproxy.
 *
 * @returns undefined for a direct connection.
 * @throws ContainerdError `invalid-argument` for an invalid proxy URL.
 */
export function proxyFor(url: URL, env: Environment): URL | undefined {
  const variable = url.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY";
  const text = read(env, variable);
  if (text === "" || isLoopback(url.host)) return undefined;
  const host = hostName(url.host);
  const port = url.port === "" ? (url.protocol === "https:" ? "443" : "80") : url.port;
  const isExcluded = read(env, "NO_PROXY")
    .split(",")
    .some((entry) => matches(entry.trim().toLowerCase(), host, port));
  return isExcluded ? undefined : parseProxy(variable, text);
}

function read(env: Environment, name: string): string {
  return env[name] || env[name.toLowerCase()] || "";
}

/**
 * Matches one entry of NO_PROXY: `*`; an IP address or a range of addresses; a domain, which includes its
 * subdomains; `.domain` or `*.domain` for the subdomains only. All except ranges can have a port.
 */
function matches(entry: string, host: string, port: string): boolean {
  if (entry === "*") return true;
  const range = /^(.+)\/(\d{1,3})$/.exec(entry);
  if (range !== null) return isInRange(range[1] ?? "", Number(range[2]), host);
  const [, bracketed, plain, wantedPort = ""] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d*))?$/.exec(entry) ?? [];
  const name = bracketed ?? plain ?? entry;
  if (name === "" || (wantedPort !== "" && wantedPort !== port)) return false;
  if (isIP(name) !== 0) return isInRange(name, isIP(name) === 4 ? 32 : 128, host);
  const domain = name.replace(/^\*\./, ".");
  return domain.startsWith(".") ? host.endsWith(domain) : host === domain || host.endsWith(`.${domain}`);
}

function isInRange(network: string, prefix: number, host: string): boolean {
  const family = isIP(network);
  if (family === 0 || isIP(host) === 0 || prefix > (family === 4 ? 32 : 128)) return false;
  const range = new BlockList();
  range.addSubnet(network, prefix, family === 4 ? "ipv4" : "ipv6");
  return range.check(host, isIP(host) === 4 ? "ipv4" : "ipv6");
}

function parseProxy(variable: string, text: string): URL {
  // As in Go, the scheme can be left out.
  const full = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  const url = URL.canParse(full) ? new URL(full) : undefined;
  if (url !== undefined && SCHEMES.includes(url.protocol)) return url;
  // The message leaves out the value, which may contain a password.
  return refuse(
    `${variable} is not the URL of a proxy`,
    "http://, https:// or socks5://, then host:port; for example http://proxy.example.com:3128",
  );
}
