import { isIP } from "node:net";

/** Whether a host, with or without a port, is this machine itself, by its name alone. */
export function isLoopback(host: string): boolean {
  const name = hostName(host);
  if (name === "localhost" || name.endsWith(".localhost")) return true;
  return isIP(name) === 4 ? name.startsWith("127.") : name === "::1";
}

/** A host without its port, in lower case, without the brackets of an IPv6 address. */
export function hostName(host: string): string {
  const bracketed = /^\[([^\]]*)\](?::\d+)?$/.exec(host)?.[1];
  return (bracketed ?? host.replace(/:\d+$/, "")).toLowerCase().replace(/\.$/, "");
}

/** A URL as it may be shown: without user, query and fragment, where signatures and tokens travel. */
export function showUrl(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`;
}
