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
export async function checkRealm(
  text: string | undefined,
  { registry, withCredential, allowed, mayBePlain }: RealmRules,
): Promise<URL> {
  const reject = (problem: string, allowedInstead: string): never => {
    throw uselessAnswer(
      `registry ${registry.host} ${problem}; allowed: ${allowedInstead}`,
      "permission-denied",
    );
  };
  if (text === undefined || !URL.canParse(text))
    return reject("asks for a token, but does not say where to get it", "a challenge whose realm is a URL");
  const realm = new URL(text);
  const shown = showUrl(realm);
  if (realm.username !== "" || realm.password !== "")
    reject(
      `sends us for a token to ${shown}, with credentials in the URL`,
      "a realm without user name and password",
    );
  if (realm.protocol !== "https:") {
    const isPlain = realm.protocol === "http:" && registry.protocol === "http:";
    if (!isPlain || !(isLoopback(realm.host) || mayBePlain.has(realm.host))) {
      reject(
        `sends us for a token to ${shown}`,
        "https; or plain http on this machine and on the hosts in hosts.plainHttp (--plain-http), if the registry itself has plain http",
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
    reject(
      `sends us for a token to ${shown}`,
      "a host that is not an address of this machine's own services",
    );
  }
  if (withCredential && !(await shareDomain(hostName(realm.host), hostName(registry.host)))) {
    reject(
      `sends us with its credential to ${shown}, which is outside the registry's domain`,
      "a host in the registry's own domain, or in tokenHosts (--token-host)",
    );
  }
  return realm;
}
