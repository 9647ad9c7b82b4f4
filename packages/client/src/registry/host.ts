import { canonicalHost } from "./credential.js";
import type { HttpTls } from "./http.js";
import { isLoopback } from "./plain-http.js";
import { checkPort } from "./registry-name.js";

/**
 * What a host is trusted to do: `resolve` a tag to a digest, serve content by digest (`pull`), accept content
 * (`push`).
 */
export type HostCapability = "pull" | "resolve" | "push";

/** A host that serves a registry's content: the registry itself, or a mirror. */
export interface RegistryHost {
  /** Scheme, host and port, for example `https://registry.example.com:5000`. */
  readonly origin: string;
  /** Path of the API, for example `/v2`. */
  readonly path: string;
  /** What the host is trusted to do. */
  readonly capabilities: ReadonlySet<HostCapability>;
  /** Headers for every request to this host. They are not sent to other hosts. */
  readonly headers: Readonly<Record<string, string>>;
  /** TLS settings for this host. */
  readonly tls: HttpTls;
  /** Time limit for connecting, in milliseconds; undefined for the client's own limit. */
  readonly dialTimeoutMs?: number | undefined;
}

/**
 * Finds the hosts that serve a registry's content, in the order in which they are asked.
 *
 * @param registry as in a reference: `docker.io`, `registry.example.com:5000`.
 */
export type RegistryHosts = (registry: string) => Promise<readonly RegistryHost[]>;

export const ALL_CAPABILITIES: ReadonlySet<HostCapability> = new Set<HostCapability>([
  "pull",
  "resolve",
  "push",
]);
export const DEFAULT_TLS: HttpTls = { ca: [], clientPairs: [], skipVerify: false };

/**
 * The registry itself, for use if no hosts are configured. It uses https. Plain http is used for a registry
 * on this machine without TLS settings, and for those in `mayBePlain`. Port 443 uses https unless it is in
 * `mayBePlain`.
 *
 * @throws ContainerdError `invalid-argument` for an invalid port.
 */
export function defaultHost(
  registry: string,
  mayBePlain: ReadonlySet<string>,
  tls: HttpTls = DEFAULT_TLS,
): RegistryHost {
  const name = canonicalHost(registry) === "docker.io" ? "registry-1.docker.io" : registry;
  checkPort("image: registry", name);
  const hasTls = tls.ca.length > 0 || tls.clientPairs.length > 0 || tls.skipVerify || /:443$/.test(name);
  const isPlain = mayBePlain.has(name) || (isLoopback(name) && !hasTls);
  return {
    origin: `${isPlain ? "http" : "https"}://${name}`,
    path: "/v2",
    capabilities: ALL_CAPABILITIES,
    headers: {},
    tls,
  };
}
