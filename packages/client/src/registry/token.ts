import type { RegistryCredential } from "./credential.js";
import { answerError, uselessAnswer } from "./failure.js";
import type { HttpClient, HttpResponse } from "./http.js";
import { showUrl } from "./plain-http.js";
import type { Secrets } from "./secret.js";
import { USER_AGENT } from "./user-agent.js";

export interface TokenRequest {
  readonly realm: URL;
  readonly service: string | undefined;
  readonly scopes: readonly string[];
  readonly credential: RegistryCredential | undefined;
  /** Further headers for the realm. */
  readonly headers: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

export interface Token {
  readonly token: string;
  /** For how long it is good, in milliseconds, counted from the request. */
  readonly lifetimeMs: number;
  /** Serves instead of the credential's refresh token from now on. */
  readonly refreshToken: string | undefined;
}

const CLIENT_ID = "wfe-containerd";
const MAX_BODY_BYTES = 1024 * 1024;
/** What the token specification assumes where a service does not say. */
const DEFAULT_LIFETIME_S = 60;

/**
 * Asks a registry's token service for a bearer token: by GET, with Basic authentication where there is a password (distribution's token
 * specification), or by POST for a refresh token (its OAuth2 specification).
 */
export async function requestToken(
  http: HttpClient,
  request: TokenRequest,
  secrets: Secrets,
  wallMs: number,
): Promise<Token> {
  const { realm, credential, signal } = request;
  const isRefresh = credential !== undefined && "identityToken" in credential;
  const response = isRefresh ? await post(http, request, credential.identityToken) : await get(http, request);
  const text = await response.text(MAX_BODY_BYTES);
  const what = `token service ${showUrl(realm)}`;
  if (response.status !== 200) {
    const error = answerError(
      what,
      { status: response.status, text, retryAfter: response.header("retry-after") },
      secrets.redact,
      wallMs,
    );
    throw error;
  }
  signal?.throwIfAborted();
  const { token, access_token, refresh_token, expires_in } = parseBody(what, text);
  const value = nonEmpty(access_token) ?? nonEmpty(token);
  // What goes into a header must not start another one.
  if (value === undefined || !/^[\x21-\x7e]+$/.test(value)) {
    throw uselessAnswer(`${what} gives no token that can be used`, "unauthenticated");
  }
  secrets.add(value);
  const refreshToken = nonEmpty(refresh_token);
  if (refreshToken !== undefined) secrets.add(refreshToken);
  const seconds = typeof expires_in === "number" && expires_in > 0 ? expires_in : DEFAULT_LIFETIME_S;
  return { token: value, lifetimeMs: seconds * 1000, refreshToken };
}

async function get(
  http: HttpClient,
  { realm, service, scopes, credential, headers: further, signal }: TokenRequest,
): Promise<HttpResponse> {
  const url = new URL(realm);
  if (service !== undefined) url.searchParams.set("service", service);
  for (const scope of scopes) url.searchParams.append("scope", scope);
  const headers: Record<string, string> = { "user-agent": USER_AGENT, ...further };
  if (credential !== undefined && "password" in credential) {
    headers["authorization"] = basicAuthorization(credential.username, credential.password);
    url.searchParams.set("account", credential.username);
  }
  return http.request({ method: "GET", url, headers, signal });
}

async function post(
  http: HttpClient,
  { realm, service, scopes, headers: further, signal }: TokenRequest,
  refreshToken: string,
): Promise<HttpResponse> {
  const form = new URLSearchParams({
    grant_type: "refresh_token",
    refresh_token: refreshToken,
    client_id: CLIENT_ID,
    ...(service !== undefined && { service }),
    ...(scopes.length > 0 && { scope: scopes.join(" ") }),
  });
  const headers = {
    "user-agent": USER_AGENT,
    ...further,
    "content-type": "application/x-www-form-urlencoded",
  };
  return http.request({ method: "POST", url: realm, headers, body: form.toString(), signal });
}

export function basicAuthorization(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}

function parseBody(what: string, text: string): Record<string, unknown> {
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === "object" && body !== null) return body as Record<string, unknown>;
  } catch {
    // Said below. The cause would quote the body, and a token with it.
  }
  throw uselessAnswer(`${what} does not answer in JSON`, "unauthenticated");
}

function nonEmpty(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
