import type { Clock } from "../concurrency/clock.js";
import type { RequestSubject } from "../diagnostics/registry-request.js";
import { ContainerdError } from "../error.js";
import { type Authorizer, createAuthorizer } from "./authorizer.js";
import { checkCertificates } from "./certificate.js";
import { type Challenge, parseChallenges } from "./challenge.js";
import { anonymousCredentials, type CredentialProvider, canonicalHost } from "./credential.js";
import type { RegistryHost } from "./host.js";
import {
  createHttpClient,
  type HttpClient,
  type HttpRequest,
  type HttpResponse,
  type HttpTimeouts,
} from "./http.js";
import { hostName, showUrl } from "./plain-http.js";
import { redirectHeaders } from "./redirect.js";
import type { Secrets } from "./secret.js";
import { USER_AGENT } from "./user-agent.js";

export interface EndpointOptions {
  readonly host: RegistryHost;
  /** The registry in the image's reference. A mirror is told this name. */
  readonly registry: string;
  readonly credentials: CredentialProvider;
  readonly tokenHosts: ReadonlySet<string>;
  readonly mayBePlain: ReadonlySet<string>;
  readonly timeouts: HttpTimeouts;
  readonly secrets: Secrets;
  readonly clock: Clock;
}

export interface EndpointRequest {
  readonly method: HttpRequest["method"];
  /**
   * A path below the API's root, for example `library/alpine/manifests/latest`; or a URL that the registry
   * gave.
   */
  readonly to: string | URL;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Returns the body; called again for each attempt. */
  readonly body?: (() => NonNullable<HttpRequest["body"]>) | undefined;
  readonly scopes: readonly string[];
  readonly signal?: AbortSignal | undefined;
  /** What is asked for, for diagnostics. */
  readonly about: RequestSubject;
}

/** One host that serves a registry's content, with the state of our login there. */
export interface Endpoint extends AsyncDisposable {
  readonly host: RegistryHost;
  /** True if this host is not the registry itself. A mirror has its own credentials. */
  readonly isMirror: boolean;
  /**
   * Sends a request, and logs in if the host asks for it. Every status except 401 is returned. A 401 is
   * returned only if it comes from another origin.
   *
   * @throws ContainerdError `unauthenticated` if the host rejects the login.
   */
  send(request: EndpointRequest): Promise<HttpResponse>;
}

export function createEndpoint({
  host,
  registry,
  timeouts,
  mayBePlain,
  clock,
  ...options
}: EndpointOptions): Endpoint {
  checkCertificates(host.tls);
  const origin = new URL(host.origin);
  const hostTimeouts = { ...timeouts, connectMs: host.dialTimeoutMs ?? timeouts.connectMs };
  const http = createHttpClient({ tls: host.tls, timeouts: hostTimeouts, mayBePlain });
  let otherHttp: HttpClient | undefined;
  const isMirror = !isSameHost(origin, registry);
  const hasOwnAuthorization = "authorization" in host.headers;

  /** For other hosts. `skipVerify` and the client certificate are only meant for this endpoint's host. */
  function httpForOthers(): HttpClient {
    otherHttp ??= createHttpClient({
      tls: { ca: host.tls.ca, clientPairs: [], skipVerify: false },
      timeouts,
      mayBePlain,
    });
    return otherHttp;
  }

  function httpFor(url: URL): HttpClient {
    return hostName(url.host) === hostName(origin.host) ? http : httpForOthers();
  }

  const authorizer = createAuthorizer({
    ...options,
    registry: origin,
    host: canonicalHost(isMirror ? origin.host : registry),
    mayBePlain,
    httpFor,
    headers: host.headers,
    clock,
  });

  const anonymousAuthorizers = new Map<string, Authorizer>();
  function anonymousAuthorizer({ origin: otherOrigin, host: name }: URL): Authorizer {
    const known = anonymousAuthorizers.get(otherOrigin);
    if (known !== undefined) return known;
    const made = createAuthorizer({
      ...options,
      registry: new URL(otherOrigin),
      host: canonicalHost(name),
      credentials: anonymousCredentials,
      mayBePlain,
      httpFor: httpForOthers,
      headers: {},
      clock,
    });
    anonymousAuthorizers.set(otherOrigin, made);
    return made;
  }

  function urlOf(to: string | URL): URL {
    if (to instanceof URL) return to;
    const url = new URL(`${host.path}/${to}`, origin);
    // A mirror of several registries reads from `ns` which registry is meant.
    if (isMirror) url.searchParams.set("ns", registry);
    return url;
  }

  async function send(request: EndpointRequest): Promise<HttpResponse> {
    const { method, to, headers, body, scopes, signal, about } = request;
    const url = urlOf(to);
    const isOwn = url.origin === origin.origin;
    const mayLogIn = isOwn && !hasOwnAuthorization;

    async function attempt(authorization: string | undefined): Promise<HttpResponse> {
      const sent = {
        "user-agent": USER_AGENT,
        // Content is hashed as it is stored, so the transfer must not compress it.
        "accept-encoding": "identity",
        ...(isOwn && host.headers),
        ...headers,
        ...(authorization !== undefined && { authorization }),
      };
      return httpFor(url).request({ method, url, headers: sent, body: body?.(), signal, about });
    }

    /**
     * Retries without a credential at the target of a redirect. That host does not know us, but may give a
     * token to anyone.
     */
    async function attemptAnonymously(
      at: URL,
      challenges: readonly Challenge[],
    ): Promise<HttpResponse | undefined> {
      const login = anonymousAuthorizer(at);
      if (!(await login.answer(challenges, { scopes: [], rejected: undefined, signal }))) return undefined;
      const authorization = await login.authorization([], signal);
      if (authorization === undefined) return undefined;
      const neutral = redirectHeaders(url, at, { "user-agent": USER_AGENT, ...headers });
      return httpForOthers().request({
        method,
        url: at,
        headers: { "accept-encoding": "identity", ...neutral, authorization },
        signal,
        about,
      });
    }

    const first = mayLogIn ? await authorizer.authorization(scopes, signal) : undefined;
    const response = await attempt(first);
    if (response.status !== 401) return response;
    const challenges = parseChallenges(response.headerAll("www-authenticate"));
    // After a redirect, the challenge comes from another host, not from this registry.
    if (response.url.origin !== origin.origin) {
      const isRead = body === undefined && response.url.origin !== url.origin;
      const retried = isRead ? await attemptAnonymously(response.url, challenges) : undefined;
      if (retried !== undefined) await response.discard();
      return retried ?? response;
    }
    await response.discard();
    const hasMore = mayLogIn && (await authorizer.answer(challenges, { scopes, rejected: first, signal }));
    if (hasMore) {
      const again = await attempt(await authorizer.authorization(scopes, signal));
      if (again.status !== 401) return again;
      await again.discard();
    }
    const reason = hasOwnAuthorization
      ? "the Authorization header in hosts.toml is not enough"
      : authorizer.explain();
    throw new ContainerdError(`${showUrl(url)} answers 401: ${reason}`, {
      kind: "unauthenticated",
      cause: { status: 401, isTransient: false },
    });
  }

  return {
    host,
    isMirror,
    send,
    async [Symbol.asyncDispose]() {
      await Promise.all([http[Symbol.asyncDispose](), otherHttp?.[Symbol.asyncDispose]()]);
    },
  };
}

/**
 * Whether an origin is the registry of a reference. The reference may include the default port of the scheme.
 */
function isSameHost({ protocol, host }: URL, registry: string): boolean {
  const named = URL.canParse(`${protocol}//${registry}`)
    ? new URL(`${protocol}//${registry}`).host
    : registry;
  return canonicalHost(host) === canonicalHost(named);
}
