import type { Clock } from "../concurrency/clock.js";
import type { Challenge } from "./challenge.js";
import type { CredentialProvider, RegistryCredential } from "./credential.js";
import type { HttpClient } from "./http.js";
import { checkRealm } from "./realm.js";
import type { Secrets } from "./secret.js";
import { basicAuthorization, requestToken } from "./token.js";

export interface AuthorizerOptions {
  /** The registry's origin. The Authorization headers from here may be sent only to this origin. */
  readonly registry: URL;
  /** The name under which credentials for the registry are stored. */
  readonly host: string;
  readonly credentials: CredentialProvider;
  /** Hosts that may receive the credential, in addition to those in the registry's own domain. */
  readonly tokenHosts: ReadonlySet<string>;
  readonly mayBePlain: ReadonlySet<string>;
  /** Returns the client for requests to a token service. */
  readonly httpFor: (realm: URL) => HttpClient;
  /** Headers for requests to the registry's origin. A token service on that origin gets them too. */
  readonly headers: Readonly<Record<string, string>>;
  readonly secrets: Secrets;
  readonly clock: Clock;
}

export interface Answer {
  readonly scopes: readonly string[];
  /** The Authorization header that the registry rejected; undefined if the request had none. */
  readonly rejected: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Logs in at one registry. */
export interface Authorizer {
  /** The Authorization header to send; undefined as long as the registry has not asked for one. */
  authorization(scopes: readonly string[], signal?: AbortSignal): Promise<string | undefined>;
  /**
   * Reads from a 401 which kind of login the registry wants.
   *
   * @returns whether there is something new to try; if so, call {@link authorization} again.
   */
  answer(challenges: readonly Challenge[], answer: Answer): Promise<boolean>;
  /** Explains to the user why the login failed: whether a credential was found. */
  explain(): string;
}

interface Bearer {
  readonly realm: URL;
  readonly service: string | undefined;
  /** Scopes that the registry asked for in addition to those of the request. */
  readonly extraScopes: Set<string>;
  readonly tokens: Map<string, { header: Promise<string>; staleAtMs: number }>;
}

/** A token is renewed 10 s before it expires, but not before 80 % of its lifetime is over. */
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
      // This may be the pending request of another caller, which fails if that caller aborts. Then send a new
      // one.
      const header = await known.header.catch(() => undefined);
      if (header !== undefined) return header;
    }
    const asked = requestBearer(from, scopes, signal);
    const entry = { header: asked.then(({ header }) => header), staleAtMs: Number.POSITIVE_INFINITY };
    // The error is reported below. Other callers that wait for this token send a request of their own.
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
    const realm = await checkRealm(challenge.parameters.get("realm"), {
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
      // Add only scopes that the request does not name itself. Otherwise the scope of one repository would be
      // requested for the next repository too.
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
      // A challenge without a realm does not tell where to get a token. It only helps to explain the failure.
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
      if (credential !== undefined) return `the credential for ${host} is wrong, or does not permit this`;
      return isCredentialKnown
        ? `a credential for ${host} is missing; log in, for example wfe-containerd login ${host}`
        : `${host} offers no login method that we support; supported: Basic, Bearer`;
    },
  };
}

/**
 * Merges `repository:a:pull` and `repository:a:push` into `repository:a:pull,push`. The result is sorted, so
 * that equal scopes give an equal request.
 */
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
