import type { RegistryCredential } from "./credential.js";
import { answerError, uselessAnswer } from "./failure.js";
import { goField, parseGoStruct } from "./go-json.js";
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
  // Some answer 201: a token was created.
  if (response.status < 200 || response.status > 299) {
    const error = answerError(
      what,
      { status: response.status, text, retryAfter: response.header("retry-after") },
      secrets.redact,
      wallMs,
    );
    throw error;
  }
  signal?.throwIfAborted();
  const body = parseGoStruct(text);
  if (body === undefined)
    throw uselessAnswer(`${what} does not answer with a JSON object`, "unauthenticated");
  const value = nonEmpty(goField(body, "access_token")) ?? nonEmpty(goField(body, "token"));
  // What goes into a header must not start another one.
  if (value === undefined || !/^[\x21-\x7e]+$/.test(value)) {
    throw uselessAnswer(`${what} gives no token that can go into a header`, "unauthenticated");
  }
  secrets.add(value);
  const refreshToken = nonEmpty(goField(body, "refresh_token"));
  if (refreshToken !== undefined) secrets.add(refreshToken);
  const expiresIn = goField(body, "expires_in");
  const seconds = typeof expiresIn === "number" && expiresIn > 0 ? expiresIn : DEFAULT_LIFETIME_S;
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

function nonEmpty(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
