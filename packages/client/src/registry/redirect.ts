import { uselessAnswer } from "./failure.js";
import { leadsToOwnServices } from "./own-services.js";
import { isLoopback, showUrl } from "./plain-http.js";

/** A chain of redirects that is longer is a loop. */
export const MAX_REDIRECTS = 5;

/** What says nothing about who asks, and so may go along to another origin. */
const NEUTRAL_HEADERS = new Set(["accept", "accept-encoding", "range", "user-agent"]);

export function isRedirect(status: number): boolean {
  return status === 301 || status === 302 || status === 303 || status === 307 || status === 308;
}

/**
 * Where a redirect leads.
 *
 * @param mayBePlain hosts that may be asked without TLS, besides this machine itself.
 * @throws ContainerdError `permission-denied` when it leads from https to http, to plain http on a host of which nobody said so, or to
 * something that is not http at all; and when it leads to where only we can go.
 */
export function redirectTarget(
  from: URL,
  location: string | undefined,
  mayBePlain: ReadonlySet<string>,
): URL {
  let to: URL;
  try {
    to = new URL(location ?? "", from);
  } catch {
    return refuse(from, "redirects to something that is not a URL");
  }
  if (location === undefined || location === "") refuse(from, "redirects to nowhere");
  if (to.username !== "" || to.password !== "") refuse(from, "redirects to a URL with credentials in it");
  if (to.protocol === "http:" && from.protocol === "https:")
    refuse(from, `redirects to plain http, on ${to.host}`);
  if (to.protocol === "http:" && !isLoopback(to.host) && !mayBePlain.has(to.host)) {
    refuse(from, `redirects to plain http on ${to.host}, which is not this machine`);
  }
  if (to.protocol !== "http:" && to.protocol !== "https:") refuse(from, `redirects to ${to.protocol}`);
  if (leadsToOwnServices(from, to))
    refuse(from, `redirects to ${to.host}, where only this machine itself may go`);
  return to;
}

/** What of a request's headers goes along: all of them within one origin, and to another none that tells who asks. */
export function redirectHeaders(
  from: URL,
  to: URL,
  headers: Readonly<Record<string, string>>,
): Record<string, string> {
  const sameOrigin = from.origin === to.origin;
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => sameOrigin || NEUTRAL_HEADERS.has(name.toLowerCase())),
  );
}

function refuse(from: URL, problem: string): never {
  throw uselessAnswer(
    `${showUrl(from)} ${problem}; allowed: https; or http on this machine and on the hosts in hosts.plainHttp (--plain-http)`,
    "permission-denied",
  );
}
