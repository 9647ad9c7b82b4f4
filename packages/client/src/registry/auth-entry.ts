import { refuse } from "../refuse.js";
import { canonicalHost, type RegistryCredential } from "./credential.js";
import { goField } from "./go-json.js";
import { hostOfKey } from "./registry-name.js";

/** The key under which docker stores the credential for Docker Hub. */
const DOCKER_HUB_KEY = "https://index.docker.io/v1/";

/** The name that docker and its credential helpers use for a registry. */
export function serverKey(host: string): string {
  return canonicalHost(host) === "docker.io" ? DOCKER_HUB_KEY : host;
}

/**
 * Returns the keys in `auths` or `credHelpers` that belong to a registry. The key to use comes first: the
 * exact key, as docker writes it; then another spelling of the host; then the URLs that older versions of
 * docker wrote; then a key that includes a repository.
 *
 * Source: `fileStore.Get` in docker/cli, cli/config/credentials/file_store.go.
 */
export function keysOf(keys: readonly string[], host: string): string[] {
  const name = canonicalHost(host);
  const own = keys.filter((key) => canonicalHost(hostOfKey(key)) === name);
  return own.toSorted((a, b) => rank(a, host) - rank(b, host));
}

function rank(key: string, host: string): number {
  if (key === serverKey(host)) return 0;
  if (key === host) return 1;
  if (!/^(?:https?:\/\/)?[^/]*(?:\/|\/v[12]\/?)?$/i.test(key)) return 5;
  if (!key.includes("://")) return 2;
  return /^https:/i.test(key) ? 3 : 4;
}

/** Returns an entry of `auths` in the form that docker writes. */
export function toAuthEntry(credential: RegistryCredential): Readonly<Record<string, string>> {
  if ("registryToken" in credential) return { registrytoken: credential.registryToken };
  if ("identityToken" in credential) return { identitytoken: credential.identityToken };
  return { auth: Buffer.from(`${credential.username}:${credential.password}`).toString("base64") };
}

/**
 * Reads an entry of `auths`. As in docker, a token is preferred to a password, and `auth` to `username` and
 * `password`.
 *
 * @param field the place of the entry, for the error: `/root/.docker/config.json:
 * auths.registry.example.com`.
 * @returns undefined if the entry contains no credential.
 * @throws ContainerdError `invalid-argument`; the message never contains the content of the entry.
 */
export function readAuthEntry(
  field: string,
  entry: Readonly<Record<string, unknown>>,
): RegistryCredential | undefined {
  const text = (name: string): string => {
    const value = goField(entry, name) ?? "";
    return typeof value === "string" ? value : refuse(`${field}.${name} is not text`, "text");
  };
  const [registryToken, identityToken, auth] = [text("registrytoken"), text("identitytoken"), text("auth")];
  if (registryToken !== "") return { registryToken };
  if (identityToken !== "") return { identityToken };
  if (auth !== "") return decodeAuth(`${field}.auth`, auth);
  const [username, password] = [text("username"), text("password")];
  return username !== "" && password !== "" ? { username, password } : undefined;
}

/** Some tools pad the password with NULs, and some leave out the padding of base64. */
function decodeAuth(field: string, auth: string): RegistryCredential {
  const text = Buffer.from(auth, "base64").toString("utf8");
  const colon = text.indexOf(":");
  if (colon < 1) refuse(`${field} contains no user name and password`, "base64 of user:password");
  return { username: text.slice(0, colon), password: text.slice(colon + 1).replace(/^\0+|\0+$/g, "") };
}
