import { type Clock, systemClock } from "../concurrency/clock.js";
import type { RequestSubject } from "../diagnostics/registry-request.js";
import { ContainerdError, isContainerdError } from "../error.js";
import type { Descriptor } from "../oci/descriptor.js";
import { formatReference, type Reference } from "../oci/reference.js";
import { type OptionNames, withDefaults } from "../options.js";
import {
  anonymousCredentials,
  type CredentialProvider,
  credentialsOf,
  type RegistryAuth,
} from "./credential.js";
import { dockerCredentials } from "./docker-config.js";
import { createEndpoint, type Endpoint, type EndpointRequest } from "./endpoint.js";
import { answerError, failureOf } from "./failure.js";
import type { HostCapability, RegistryHosts } from "./host.js";
import { combineFailures, type HostFailure } from "./host-failure.js";
import { HOSTS_OPTIONS, hostsFromDirectories, type RegistryHostsOptions } from "./hosts.js";
import { DEFAULT_TIMEOUTS, type HttpResponse, type HttpTimeoutOptions, TIMEOUT_OPTIONS } from "./http.js";
import { showUrl } from "./plain-http.js";
import type { TransferProgress } from "./progress.js";
import { createRetrier, type Retrier } from "./retrier.js";
import { DEFAULT_RETRY, RETRY_OPTIONS, type RetryOptions } from "./retry.js";
import { createSecrets } from "./secret.js";

/** How to reach registries, and with which credentials. */
export interface RegistryOptions {
  /**
   * Credentials by registry, a function that finds them, or `"anonymous"` to use no credentials. Default:
   * docker's config, see {@link dockerCredentials}.
   */
  readonly auth?: RegistryAuth | CredentialProvider | "anonymous" | undefined;
  /**
   * Mirrors, certificates and plain http, or a function that returns the hosts of a registry. Default: the
   * hosts.toml files of containerd and docker, see {@link hostsFromDirectories}.
   */
  readonly hosts?: RegistryHosts | RegistryHostsOptions | undefined;
  /**
   * Hosts of token services outside the registry's domain that may receive a credential: `auth.example.net`.
   * Default: none.
   */
  readonly tokenHosts?: readonly string[] | undefined;
  /** How long to retry. The defaults are those of {@link RetryPolicy}. */
  readonly retry?: RetryOptions | undefined;
  /** Time limits. The defaults are those of {@link HttpTimeouts}. */
  readonly timeouts?: HttpTimeoutOptions | undefined;
  /** The source of time; tests replace it. Default: the system's clock. */
  readonly clock?: Clock | undefined;
}

export const REGISTRY_OPTIONS: OptionNames<RegistryOptions> = {
  // A credential's own parts are checked with the credential.
  auth: true,
  hosts: HOSTS_OPTIONS,
  tokenHosts: true,
  retry: RETRY_OPTIONS,
  timeouts: TIMEOUT_OPTIONS,
  clock: true,
};

export interface RepositoryRequest extends Omit<EndpointRequest, "to" | "scopes" | "about"> {
  /** The capability that a host must have. */
  readonly capability: HostCapability;
  /** Path below the repository, for example `manifests/latest`. */
  readonly path: string;
  /** Hosts to skip, each with the error of its earlier answer. */
  readonly except?: ReadonlyMap<Endpoint, ContainerdError> | undefined;
  /** Accepts an answer whose status is not 200 to 299. */
  readonly isAlsoFine?: ((response: HttpResponse) => boolean) | undefined;
}

/** A request to one host: to its API, or to a URL that it gave. */
export type HostRequest = Omit<EndpointRequest, "scopes" | "to" | "about"> &
  Pick<RepositoryRequest, "isAlsoFine"> & {
    /** Path below the repository, for example `blobs/uploads/`; or a URL. */
    readonly to: string | URL;
    /** Another repository of the same registry that the request reads from. */
    readonly alsoPullFrom?: string | undefined;
    /** Scopes that the token must have. Default: those that the repository was opened with. */
    readonly scopes?: readonly string[] | undefined;
    /** What is asked for, for diagnostics, if the URL does not tell. */
    readonly about?: RequestSubject | undefined;
  };

export interface Answered {
  readonly endpoint: Endpoint;
  readonly response: HttpResponse;
}

/** A repository of a registry, on all hosts that serve it. */
export interface Repository extends AsyncDisposable {
  readonly reference: Reference;
  readonly clock: Clock;
  /** Hosts with a capability, in the order in which they are asked. */
  endpoints(capability: HostCapability): readonly Endpoint[];
  /**
   * Asks each host once, in order, until one gives an answer that can be used. It does not retry: see {@link
   * retrier}.
   *
   * @param take uses an answer. If it throws an error whose cause is a RegistryFailure, the next host is
   * asked.
   * @throws any other error of `take`; a ContainerdError that lists the failure of each host, with the kind
   * and cause of the one that decides: see {@link combineFailures}.
   */
  ask<T>(request: RepositoryRequest, take: (answered: Answered) => Promise<T>): Promise<T>;
  /**
   * Asks one host.
   *
   * @throws as {@link ask} does.
   */
  askOne(endpoint: Endpoint, request: HostRequest): Promise<HttpResponse>;
  /** Hosts that may be reached over plain http, in addition to this machine. */
  readonly mayBePlain: ReadonlySet<string>;
  /**
   * Returns a retrier for one blob or manifest. It reports each retry as progress.
   *
   * @param blob what is transferred. Default: what the reference names.
   * @param offset how many bytes have been transferred.
   */
  retrier(blob?: Pick<Descriptor, "digest" | "size">, offset?: () => number): Retrier;
}

export interface OpenOptions extends RegistryOptions {
  /** Called before each retry. */
  readonly onProgress?: ((progress: TransferProgress) => void) | undefined;
}

const MAX_ERROR_BYTES = 16 * 1024;

/** @param actions what the token must allow, in the terms of the token specification. */
export async function openRepository(
  reference: Reference,
  options: OpenOptions = {},
  actions: "pull" | "pull,push" = "pull",
): Promise<Repository> {
  const clock = options.clock ?? systemClock;
  const secrets = createSecrets();
  const { domain, path: repository } = reference;
  const hosts = await hostsOf(options)(domain);
  const credentials = credentialsFor(options);
  const mayBePlain = new Set([
    ...(typeof options.hosts === "object" ? (options.hosts.plainHttp ?? []) : []),
    // A host that is configured with http:// may use plain http.
    ...hosts
      .map(({ origin }) => new URL(origin))
      .flatMap(({ protocol, host }) => (protocol === "http:" ? [host] : [])),
  ]);
  const endpoints = hosts.map((host) =>
    createEndpoint({
      host,
      registry: domain,
      credentials,
      tokenHosts: new Set(options.tokenHosts),
      mayBePlain,
      timeouts: withDefaults(DEFAULT_TIMEOUTS, options.timeouts),
      secrets,
      clock,
    }),
  );
  const policy = withDefaults(DEFAULT_RETRY, options.retry);
  const scope = `repository:${repository}:${actions}`;

  const askOne: Repository["askOne"] = async (endpoint, { isAlsoFine, alsoPullFrom, to, ...request }) => {
    const { about = subjectOf(repository, to) } = request;
    const { scopes = [scope, ...(alsoPullFrom === undefined ? [] : [`repository:${alsoPullFrom}:pull`])] } =
      request;
    const place = typeof to === "string" ? `${repository}/${to}` : to;
    const response = await endpoint.send({ ...request, to: place, scopes, about });
    const { status } = response;
    if ((status >= 200 && status < 300) || isAlsoFine?.(response) === true) return response;
    const text = await response.text(MAX_ERROR_BYTES).catch(() => "");
    throw answerError(
      showUrl(response.url),
      { status, text, retryAfter: response.header("retry-after") },
      secrets.redact,
      clock.wallMs(),
    );
  };

  const trusted = (capability: HostCapability): Endpoint[] =>
    endpoints.filter(({ host }) => host.capabilities.has(capability));

  return {
    reference,
    clock,
    mayBePlain,
    endpoints: trusted,
    async ask({ capability, path, except = new Map(), ...request }, take) {
      const able = trusted(capability);
      if (able.length === 0) {
        throw new ContainerdError(
          `in hosts.toml, no host of ${domain} has the capability ${JSON.stringify(capability)}; allowed: at least one host with this capability`,
          { kind: "failed-precondition" },
        );
      }
      const failures: HostFailure[] = [];
      for (const endpoint of able) {
        let error = except.get(endpoint);
        if (error === undefined) {
          let isAnswered = false;
          try {
            const response = await askOne(endpoint, { ...request, to: path });
            isAnswered = true;
            return await take({ endpoint, response });
          } catch (reason) {
            if (isAnswered && failureOf(reason) === undefined) throw reason;
            error = ContainerdError.from(reason);
            if (error.kind === "canceled") throw error;
          }
        }
        failures.push({ error, isServer: endpoint === endpoints.at(-1) });
      }
      const error = combineFailures(`${formatReference(reference)}: ${path}`, failures);
      throw path.startsWith("manifests/") ? explainMissing(reference, error) : error;
    },
    askOne,
    retrier(blob, offset = () => 0) {
      const what = blob?.digest ?? formatReference(reference);
      return createRetrier(policy, clock, {
        what,
        onRetry: (retry) =>
          options.onProgress?.({
            what,
            state: "retrying",
            offset: offset(),
            total: blob?.size ?? 0,
            bytesPerSecond: 0,
            retry,
          }),
      });
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(endpoints.map((endpoint) => endpoint[Symbol.asyncDispose]()));
    },
  };
}

/** @param to a path below the repository, or a URL that the registry gave, which is one of an upload. */
function subjectOf(repository: string, to: string | URL): RequestSubject {
  if (to instanceof URL || to.startsWith("blobs/uploads/")) return { repository, resource: "uploads" };
  return { repository, resource: to.split("/", 1)[0] ?? "" };
}

/**
 * A registry answers 404 for a missing repository, tag or digest, and some also for an image that the user
 * may not read.
 */
function explainMissing(reference: Reference, error: ContainerdError): ContainerdError {
  if (!isContainerdError(error, "not-found")) return error;
  const problem = `the registry ${reference.domain} does not have the image ${formatReference(reference)}; check its name and tag, and log in if it is private`;
  return new ContainerdError(`${problem} (${error.message})`, { kind: error.kind, cause: error.cause });
}

function hostsOf({ hosts }: RegistryOptions): RegistryHosts {
  return typeof hosts === "function" ? hosts : hostsFromDirectories(hosts);
}

export function credentialsFor({ auth }: RegistryOptions): CredentialProvider {
  if (auth === undefined) return dockerCredentials();
  if (auth === "anonymous") return anonymousCredentials;
  return typeof auth === "function" ? auth : credentialsOf(auth);
}
