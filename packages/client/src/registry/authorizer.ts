import type { Clock } from "../concurrency/clock.js";
import type { Challenge } from "./challenge.js";
import type { CredentialProvider, RegistryCredential } from "./credential.js";
import type { HttpClient } from "./http.js";
import { checkRealm } from "./realm.js";
import type { Secrets } from "./secret.js";
import { basicAuthorization, requestToken } from "./token.js";

export interface AuthorizerOptions {
  /** The registry's origin: the only place that what this gives may be sent to. */
  readonly registry: URL;
  /** By what name credentials for the registry are kept. */
  readonly host: string;
  readonly credentials: CredentialProvider;
  /** Hosts that may see the credential besides the registry's own domain. */
  readonly tokenHosts: ReadonlySet<string>;
  readonly mayBePlain: ReadonlySet<string>;
  /** Speaks with a token service. */
  readonly httpFor: (realm: URL) => HttpClient;
  /** Headers that are sent to the registry's origin, and so to a token service there. */
  readonly headers: Readonly<Record<string, string>>;
  readonly secrets: Secrets;
  readonly clock: Clock;
}

export interface Answer {
  readonly scopes: readonly string[];
  /** The Authorization header that was not enough; undefined when there was none. */
  readonly rejected: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Gets one registry to let us in. */
export interface Authorizer {
  /** The Authorization header to send; undefined as long as the registry has not asked for one. */
  authorization(scopes: readonly string[], signal?: AbortSignal): Promise<string | undefined>;
  /**
   * Learns from a 401 what the registry wants.
   *
   * @returns whether there is something new to try: then ask {@link authorization} again.
   */
  answer(challenges: readonly Challenge[], answer: Answer): Promise<boolean>;
  /** Why we stay outside, for a person: what is known of the credential. */
  explain(): string;
}

interface Bearer {
  readonly realm: URL;
  readonly service: string | undefined;
  /** What the registry asked for beyond what we know that we need. */
  readonly extraScopes: Set<string>;
  readonly tokens: Map<string, { header: Promise<string>; staleAtMs: number }>;
}

/** A token is renewed this long before its end, but not before most of its time is over. */
const EARLY_MS = 10_000;
const EARLY_SHARE = 0.2;

export function createAuthorizer(options: AuthorizerOptions): Authorizer {
  const { registry, host, credentials, secrets, clock } = options;
  let credential: RegistryCredential | undefined;
  let isCredentialKnown = false;
  let fixed: string | undefined;
  let bearer: Bearer | undefined;

  async function findCredential(signal: AbortSignal | undefined): Promise<RegistryCredential | undefined> {
    if (!isCredentialKnown) {
      credential = await credentials(host, { signal });
      isCredentialKnown = true;
      for (const [name, value] of Object.entries(credential ?? {}))
        if (name !== "username") secrets.add(value);
      if (credential !== undefined && "password" in credential) {
        secrets.add(`${credential.username}:${credential.password}`);
      }
    }
    return credential;
  }

  async function requestBearer(from: Bearer, scopes: readonly string[], signal: AbortSignal | undefined) {
    const { realm, service } = from;
    const askedAtMs = clock.monotonicMs();
    const given = await requestToken(
      options.httpFor(realm),
      {
        realm,
        service,
        scopes,
        credential,
        headers: realm.origin === registry.origin ? options.headers : {},
        signal,
      },
      secrets,
      clock.wallMs(),
    );
    if (given.refreshToken !== undefined && credential !== undefined && "identityToken" in credential) {
      credential = { identityToken: given.refreshToken };
    }
    const early = Math.max(Math.min(EARLY_MS, given.lifetimeMs * EARLY_SHARE), 0);
    return { header: `Bearer ${given.token}`, staleAtMs: askedAtMs + given.lifetimeMs - early };
  }

  async function bearerFor(
    from: Bearer,
    wanted: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<string> {
    const scopes = mergeScopes([...wanted, ...from.extraScopes]);
    const key = scopes.join(" ");
    const known = from.tokens.get(key);
    if (known !== undefined && known.staleAtMs > clock.monotonicMs()) {
      // Somebody else's request for it may fail by that somebody's abort: then we ask for ourselves.
      const header = await known.header.catch(() => undefined);
      if (header !== undefined) return header;
    }
    const asked = requestBearer(from, scopes, signal);
    const entry = { header: asked.then(({ header }) => header), staleAtMs: Number.POSITIVE_INFINITY };
    // It is reported below; those who wait beside us look for themselves.
    entry.header.catch(() => undefined);
    from.tokens.set(key, entry);
    try {
      entry.staleAtMs = (await asked).staleAtMs;
      return await entry.header;
    } catch (reason) {
      if (from.tokens.get(key) === entry) from.tokens.delete(key);
      throw reason;
    }
  }

  async function answerBearer(challenge: Challenge, { scopes, rejected, signal }: Answer): Promise<boolean> {
    const found = await findCredential(signal);
    if (found !== undefined && "registryToken" in found) {
      const header = `Bearer ${found.registryToken}`;
      if (rejected === header) return false;
      fixed = header;
      return true;
    }
    const realm = checkRealm(challenge.parameters.get("realm"), {
      registry,
      withCredential: found !== undefined,
      allowed: options.tokenHosts,
      mayBePlain: options.mayBePlain,
    });
    const service = challenge.parameters.get("service");
    if (bearer === undefined || bearer.realm.href !== realm.href || bearer.service !== service) {
      bearer = { realm, service, extraScopes: new Set(), tokens: new Map() };
    }
    for (const [key, { header }] of bearer.tokens) {
      if (rejected !== undefined && (await header.catch(() => undefined)) === rejected)
        bearer.tokens.delete(key);
    }
    for (const scope of (challenge.parameters.get("scope") ?? "").split(" ")) {
      // Only what goes beyond the scopes that each request names for itself: another repository's is no business of the next one.
      if (scope !== "" && !covers(scopes, scope)) bearer.extraScopes.add(scope);
    }
    return true;
  }

  return {
    async authorization(scopes, signal) {
      return fixed ?? (bearer === undefined ? undefined : bearerFor(bearer, scopes, signal));
    },
    async answer(challenges, answer) {
      const bearers = challenges.filter(({ scheme }) => scheme === "bearer");
      const hasBasic = challenges.some(({ scheme }) => scheme === "basic");
      // One that does not say where a token is to be had is of use only as an explanation.
      const asked =
        bearers.find(({ parameters }) => parameters.has("realm")) ?? (hasBasic ? undefined : bearers[0]);
      if (asked !== undefined) return answerBearer(asked, answer);
      if (!hasBasic) return false;
      const found = await findCredential(answer.signal);
      if (found === undefined || !("password" in found)) return false;
      const header = basicAuthorization(found.username, found.password);
      if (answer.rejected === header) return false;
      fixed = header;
      return true;
    },
    explain() {
      if (credential !== undefined) return `the credential for ${host} is wrong, or is not enough for this`;
      return isCredentialKnown
        ? `no credential for ${host} is known; log in, for example wfe-containerd login ${host}`
        : `${host} offers no way to log in that is known here; known: Basic, Bearer`;
    },
  };
}

/** `repository:a:pull` and `repository:a:push` become `repository:a:pull,push`; sorted, so that the same is asked for in the same words. */
function mergeScopes(scopes: readonly string[]): string[] {
  const actions = new Map<string, Set<string>>();
  for (const scope of scopes) {
    const colon = scope.lastIndexOf(":");
    const resource = scope.slice(0, Math.max(colon, 0));
    const set = actions.get(resource) ?? new Set();
    for (const action of scope.slice(colon + 1).split(",")) set.add(action);
    actions.set(resource, set);
  }
  return [...actions].map(([resource, set]) => `${resource}:${[...set].toSorted().join(",")}`).toSorted();
}

function covers(scopes: readonly string[], scope: string): boolean {
  return mergeScopes([...scopes, scope]).join(" ") === mergeScopes(scopes).join(" ");
}
