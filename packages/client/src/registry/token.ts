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
  /** Additional headers for the request. */
  readonly headers: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

export interface Token {
  readonly token: string;
  /** Lifetime in milliseconds, counted from the request. */
  readonly lifetimeMs: number;
  /** Replaces the credential's refresh token from now on; undefined if the service sent none. */
  readonly refreshToken: string | undefined;
}

const CLIENT_ID = "wfe-containerd";
const TOKENS = { resource: "tokens" };
const MAX_BODY_BYTES = 1024 * 1024;
/** The default of the token specification. */
const DEFAULT_LIFETIME_S = 60;

/**
 * Asks a registry's token service for a bearer token: with GET, and Basic authentication for a password
 * (distribution's token specification); or with POST for a refresh token (its OAuth2 specification).
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
  // Some services answer 201, because a token was created.
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
  // A line break in the token would start another header.
  if (value === undefined || !/^[\x21-\x7e]+$/.test(value)) {
    throw uselessAnswer(`${what} gives no token that can be sent in a header`, "unauthenticated");
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
  return http.request({ method: "GET", url, headers, signal, about: TOKENS });
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
  return http.request({ method: "POST", url: realm, headers, body: form.toString(), signal, about: TOKENS });
}

export function basicAuthorization(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}

function nonEmpty(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
