import { uselessAnswer } from "./failure.js";
import { leadsToOwnServices } from "./own-services.js";
import { hostName, isLoopback, showUrl } from "./plain-http.js";
import { shareDomain } from "./public-suffix.js";

export interface RealmRules {
  /** Origin of the registry that sent the realm. */
  readonly registry: URL;
  /** Whether a credential would be sent to the realm. */
  readonly withCredential: boolean;
  /** Hosts outside the registry's domain that may receive the credential. */
  readonly allowed: ReadonlySet<string>;
  /** Hosts that may be reached over plain http, in addition to this machine. */
  readonly mayBePlain: ReadonlySet<string>;
}

/**
 * Reads the realm, the URL where a registry sends us for a token, and refuses hosts that should not be asked.
 *
 * A credential goes only to the registry's own host, to a host in the same domain (`registry.example.com` and
 * `auth.example.com`; see {@link shareDomain}), or to a host that is allowed by name. Without a credential no
 * secret is sent. Even then, a remote registry must not make us send requests to services on this machine or
 * to a cloud's metadata service.
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
