import { uselessAnswer } from "./failure.js";
import { leadsToOwnServices } from "./own-services.js";
import { hostName, isLoopback, showUrl } from "./plain-http.js";
import { shareDomain } from "./public-suffix.js";

export interface RealmRules {
  /** Origin of the registry that names the realm. */
  readonly registry: URL;
  /** Somebody's credential would go to the realm. */
  readonly withCredential: boolean;
  /** Hosts that may see the credential although they seem to be strangers to the registry. */
  readonly allowed: ReadonlySet<string>;
  /** Hosts that may be asked without TLS, besides this machine itself. */
  readonly mayBePlain: ReadonlySet<string>;
}

/**
 * Reads where a registry sends us for a token, and refuses places that have no business with it.
 *
 * A credential goes only to the registry's own host, or to one that shares a domain with it (`registry.example.com` and
 * `auth.example.com`; see {@link shareDomain}), or to one that is allowed by name. Without a credential nothing is given away, but a registry elsewhere still must not
 * make us ask this machine's own services or a cloud's metadata service.
 *
 * @throws ContainerdError `permission-denied`.
 */
export function checkRealm(
  text: string | undefined,
  { registry, withCredential, allowed, mayBePlain }: RealmRules,
): URL {
  const refuse = (problem: string, allowedInstead: string): never => {
    throw uselessAnswer(
      `registry ${registry.host} ${problem}; allowed: ${allowedInstead}`,
      "permission-denied",
    );
  };
  if (text === undefined || !URL.canParse(text))
    return refuse("asks for a token and does not say where to get it", "a challenge whose realm is a URL");
  const realm = new URL(text);
  const shown = showUrl(realm);
  if (realm.username !== "" || realm.password !== "")
    refuse(`sends us to ${shown} with credentials of its own`, "a realm without user name and password");
  if (realm.protocol !== "https:") {
    const isPlain = realm.protocol === "http:" && registry.protocol === "http:";
    if (!isPlain || !(isLoopback(realm.host) || mayBePlain.has(realm.host))) {
      refuse(
        `sends us for a token to ${shown}`,
        "https; or plain http, where the registry has that too, on this machine and on hosts in hosts.plainHttp (--plain-http)",
      );
    }
  }
  if (
    hostName(realm.host) === hostName(registry.host) ||
    allowed.has(realm.host) ||
    allowed.has(hostName(realm.host))
  )
    return realm;
  if (leadsToOwnServices(registry, realm)) {
    refuse(`sends us for a token to ${shown}`, "a host that is not this machine's own");
  }
  if (withCredential && !shareDomain(hostName(realm.host), hostName(registry.host))) {
    refuse(
      `sends us with its credential to ${shown}, a host that has no business with it because it is outside the registry's domain`,
      "a host in the registry's own domain, or one that is named in tokenHosts (--token-host)",
    );
  }
  return realm;
}
