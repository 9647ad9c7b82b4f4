import { uselessAnswer } from "./failure.js";
import { leadsToOwnServices } from "./own-services.js";
import { isLoopback, showUrl } from "./plain-http.js";

/** A longer chain of redirects is treated as a loop. */
export const MAX_REDIRECTS = 5;

/** Headers that do not identify us, and so may be sent to another origin. */
const NEUTRAL_HEADERS = new Set(["accept", "accept-encoding", "range", "user-agent"]);

export function isRedirect(status: number): boolean {
  return status === 301 || status === 302 || status === 303 || status === 307 || status === 308;
}

/**
 * Returns the target of a redirect.
 *
 * @param mayBePlain hosts that may be reached over plain http, in addition to this machine.
 * @throws ContainerdError `permission-denied` if the redirect leads from https to http, to plain http on a
 * host that is not allowed, to another scheme, to a URL with credentials, to something that is not a URL, or
 * to a place that only this machine can reach.
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
    return refuseRedirect(from, "redirects to something that is not a URL");
  }
  if (location === undefined || location === "") refuseRedirect(from, "redirects without a Location");
  if (to.username !== "" || to.password !== "")
    refuseRedirect(from, "redirects to a URL with credentials in it");
  if (to.protocol === "http:" && from.protocol === "https:")
    refuseRedirect(from, `redirects to plain http, on ${to.host}`);
  if (to.protocol === "http:" && !isLoopback(to.host) && !mayBePlain.has(to.host)) {
    refuseRedirect(from, `redirects to plain http on ${to.host}, which is not this machine`);
  }
  if (to.protocol !== "http:" && to.protocol !== "https:")
    refuseRedirect(from, `redirects to ${to.protocol}`);
  if (leadsToOwnServices(from, to))
    refuseRedirect(from, `redirects to ${to.host}, which only this machine can reach`);
  return to;
}

/**
 * Returns the headers to send after a redirect: all of them within one origin, and only the neutral ones to
 * another origin.
 */
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

function refuseRedirect(from: URL, problem: string): never {
  throw uselessAnswer(
    `${showUrl(from)} ${problem}; allowed: https; or http on this machine and on the hosts in hosts.plainHttp (--plain-http)`,
    "permission-denied",
  );
}
