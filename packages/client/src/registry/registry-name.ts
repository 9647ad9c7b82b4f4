import { refuse } from "../refuse.js";

const ALLOWED = "a host, or host:port, for example registry.example.com:5000";

/**
 * Returns the host of a registry from the text that a user gives for a login. As in docker, a URL or a path
 * is accepted and cut down to the host: `https://registry.example.com/v2/` becomes `registry.example.com`.
 *
 * @throws ContainerdError `invalid-argument`.
 */
export function parseRegistryName(text: string): string {
  const host = hostOfKey(text);
  const reject = (problem: string): never => {
    // The part before an @ may be a password.
    const shown = JSON.stringify(text.replace(/.*@/s, "…@").slice(0, 200));
    return refuse(`registry: ${shown} ${problem}`, ALLOWED);
  };
  if (text === "") return reject("is empty");
  if (text.includes("@")) return reject("contains credentials");
  if (text.includes("://") && !/^https?:\/\//i.test(text))
    return reject("has a scheme other than http and https");
  if (!/^(?:[A-Za-z0-9.-]+|\[[A-Fa-f0-9:]+\])(?::\d+)?$/.test(host)) return reject("is not a registry");
  // In an image reference, a word without a dot or port is not a host: it is the first part of a name on
  // Docker Hub.
  if (!/[.:]/.test(host) && host.toLowerCase() !== "localhost") return reject("is not a registry");
  checkPort("registry", host);
  return host === "index.docker.io" ? "docker.io" : host;
}

/** @throws ContainerdError `invalid-argument` for a port outside 1 to 65535. */
export function checkPort(field: string, host: string): void {
  const port = /:(\d+)$/.exec(host)?.[1];
  if (port === undefined || (Number(port) >= 1 && Number(port) <= 65_535)) return;
  refuse(`${field}: ${JSON.stringify(host)} has an invalid port: ${port}`, "1 to 65535");
}

/**
 * The host in a key of docker's config. Keys are hosts, or URLs that older versions of docker wrote.
 *
 * Source: `ConvertToHostname` in docker/cli, cli/config/credentials/file_store.go.
 */
export function hostOfKey(key: string): string {
  return key.replace(/^[a-z][a-z0-9+.-]*:\/\/(?:[^/@]*@)?/i, "").replace(/[/?#].*$/s, "");
}
