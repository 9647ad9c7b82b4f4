import { createPrivateKey, randomUUID, sign, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { createServer as createHttpServer, type IncomingMessage } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Certificate } from "./certificates.js";

export interface TokenServerOptions {
  /** Signs the tokens. */
  readonly signer: Certificate;
  /** Serve HTTPS with this certificate. */
  readonly tls?: Certificate;
  /** Passwords by user. A client without a user is anonymous. */
  readonly users?: Readonly<Record<string, string>>;
  /** Users by refresh token. */
  readonly refreshTokens?: Readonly<Record<string, string>>;
  /**
   * The actions that a user gets in a repository; undefined is the anonymous user. Default: `pull`, `push`
   * and `delete` for users, `pull` for the anonymous user.
   */
  readonly allow?: (user: string | undefined, repository: string) => readonly string[];
  /** A token's lifetime in seconds. `count` is 0 for the first token. Default: 300. */
  readonly lifetimeS?: (count: number) => number;
  /** The lifetime in seconds that clients are told. Default: the real one. */
  readonly saidLifetimeS?: number;
}

export interface TokenRequestSeen {
  readonly method: string;
  readonly user: string | undefined;
  readonly scopes: readonly string[];
  readonly granted: boolean;
}

/**
 * A token service as the distribution project specifies it. A registry must trust the signer's certificate.
 */
export interface TokenServer extends AsyncDisposable {
  readonly realm: string;
  readonly service: string;
  readonly issuer: string;
  readonly requests: readonly TokenRequestSeen[];
  /** The tokens it has issued. Tests search for them where they must not be. */
  readonly issued: readonly string[];
}

const ISSUER = "test-token-server";
const SERVICE = "test-registry";

export async function startTokenServer(options: TokenServerOptions): Promise<TokenServer> {
  const { signer, users = {}, refreshTokens = {} } = options;
  const allow = options.allow ?? ((user) => (user === undefined ? ["pull"] : ["pull", "push", "delete"]));
  const requests: TokenRequestSeen[] = [];
  const issued: string[] = [];

  async function answer(request: IncomingMessage): Promise<{ status: number; body: object }> {
    const url = new URL(request.url ?? "/", "http://server");
    const form = request.method === "POST" ? new URLSearchParams(await readText(request)) : url.searchParams;
    const scopes = form.getAll("scope").flatMap((scope) => scope.split(" "));
    const { user, isKnown } = whoIs(request, form);
    requests.push({ method: request.method ?? "", user, scopes, granted: isKnown });
    if (!isKnown)
      return { status: 401, body: { errors: [{ code: "UNAUTHORIZED", message: "who are you?" }] } };
    const access = scopes
      .filter((scope) => scope.startsWith("repository:"))
      .map((scope) => {
        const [, name = "", actions = ""] = /^repository:(.+):([^:]*)$/.exec(scope) ?? [];
        return {
          type: "repository",
          name,
          actions: actions.split(",").filter((action) => allow(user, name).includes(action)),
        };
      });
    const lifetimeS = options.lifetimeS?.(issued.length) ?? 300;
    const token = signToken(signer, { iss: ISSUER, aud: SERVICE, sub: user ?? "", access, lifetimeS });
    issued.push(token);
    const expires = options.saidLifetimeS ?? lifetimeS;
    return {
      status: 200,
      body:
        request.method === "POST"
          ? { access_token: token, expires_in: expires }
          : { token, expires_in: expires },
    };
  }

  function whoIs(
    request: IncomingMessage,
    form: URLSearchParams,
  ): { user: string | undefined; isKnown: boolean } {
    if (request.method === "POST") {
      const user = refreshTokens[form.get("refresh_token") ?? ""];
      return { user, isKnown: form.get("grant_type") === "refresh_token" && user !== undefined };
    }
    const given = /^Basic (.+)$/.exec(request.headers.authorization ?? "")?.[1];
    if (given === undefined) return { user: undefined, isKnown: true };
    const [user = "", ...rest] = Buffer.from(given, "base64").toString("utf8").split(":");
    return { user, isKnown: users[user] === rest.join(":") };
  }

  const listener = (request: IncomingMessage, response: import("node:http").ServerResponse): void => {
    void answer(request).then(({ status, body }) => {
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    });
  };
  const server =
    options.tls === undefined
      ? createHttpServer(listener)
      : createHttpsServer({ cert: options.tls.cert, key: options.tls.key }, listener);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    realm: `${options.tls === undefined ? "http" : "https"}://127.0.0.1:${port}/token`,
    service: SERVICE,
    issuer: ISSUER,
    requests,
    issued,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

interface Claims {
  readonly iss: string;
  readonly aud: string;
  readonly sub: string;
  readonly access: readonly object[];
  readonly lifetimeS: number;
}

/** A JSON Web Token that contains the signer's certificate. The registry looks for it in its bundle. */
function signToken({ cert, key }: Certificate, { lifetimeS, ...claims }: Claims): string {
  const nowS = Math.floor(Date.now() / 1000);
  const header = { typ: "JWT", alg: "ES256", x5c: [new X509Certificate(cert).raw.toString("base64")] };
  const payload = { ...claims, jti: randomUUID(), iat: nowS, nbf: nowS - 1, exp: nowS + lifetimeS };
  const text = [header, payload]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
    .join(".");
  const signature = sign("sha256", Buffer.from(text), {
    key: createPrivateKey(key),
    dsaEncoding: "ieee-p1363",
  });
  return `${text}.${signature.toString("base64url")}`;
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}
