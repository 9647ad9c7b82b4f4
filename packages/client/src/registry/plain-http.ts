import { isIP } from "node:net";

/** Whether a host, with or without a port, is this machine. Only its name is checked. */
export function isLoopback(host: string): boolean {
  const name = hostName(host);
  if (name === "localhost" || name.endsWith(".localhost")) return true;
  return isIP(name) === 4 ? name.startsWith("127.") : name === "::1";
}

/** The host without its port, in lower case; an IPv6 address without brackets. */
export function hostName(host: string): string {
  const bracketed = /^\[([^\]]*)\](?::\d+)?$/.exec(host)?.[1];
  return (bracketed ?? host.replace(/:\d+$/, "")).toLowerCase().replace(/\.$/, "");
}

/** A URL that is safe to show: without user, query and fragment, which may contain signatures and tokens. */
export function showUrl(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`;
}
