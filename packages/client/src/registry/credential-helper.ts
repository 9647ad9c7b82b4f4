import { spawn } from "node:child_process";
import { canceled } from "../concurrency/canceled.js";
import { ContainerdError } from "../error.js";
import { refuse } from "../refuse.js";
import type { RegistryCredential } from "./credential.js";
import { goField, parseGoStruct } from "./go-json.js";

/** A credential helper that a config file names. */
export interface CredentialHelper {
  /** The program is `docker-credential-<name>`, on the PATH. */
  readonly name: string;
  /** The place in the config file that names it, for errors: `/root/.docker/config.json: credsStore`. */
  readonly field: string;
}

export interface HelperOptions {
  readonly signal?: AbortSignal | undefined;
  /** Environment of the program; its PATH is searched. Default: the environment of this process. */
  readonly env?: NodeJS.ProcessEnv | undefined;
}

/** At most 200 characters: no program on a PATH has a longer name. */
const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}$/;
const TIMEOUT_MS = 60_000;
const MAX_OUTPUT_BYTES = 1024 * 1024;
/** A helper answers with this user name if the secret is an identity token. */
const TOKEN_USER = "<token>";
const NOT_FOUND = /credentials not found|no credentials server url|no credentials username/i;

/**
 * Checks the name of a credential helper. With a slash in it, the name could start any program on the disk.
 *
 * @throws ContainerdError `invalid-argument`.
 */
export function checkHelperName(field: string, name: unknown): string {
  if (typeof name === "string" && NAME.test(name)) return name;
  return refuse(
    `${field}: ${JSON.stringify(name)?.slice(0, 100)} is not the name of a credential helper`,
    'up to 200 letters, digits, "_", "." and "-", for example osxkeychain',
  );
}

/**
 * Asks a helper for the credential of a server. The helper reads the server's name from stdin and writes the
 * secret to stdout.
 *
 * Source: `Get` in docker/docker-credential-helpers, client/client.go.
 *
 * @returns undefined if the helper has no credential for the server.
 * @throws ContainerdError `failed-precondition` if the helper cannot be run, fails, or gives an answer that
 * cannot be used; `canceled`; `invalid-argument` for the name of the helper.
 */
export async function getFromHelper(
  helper: CredentialHelper,
  server: string,
  options: HelperOptions = {},
): Promise<RegistryCredential | undefined> {
  const { status, stdout } = await run(helper, "get", server, options);
  const answer = status !== 0 || stdout.trim() === "" ? undefined : parseGoStruct(stdout);
  // The protocol has no exit code for "not found", only these words.
  if (answer === undefined && NOT_FOUND.test(stdout)) return undefined;
  if (status !== 0) throw failed(helper, "get", `exits with ${status}`);
  // The message leaves out the output of the helper, which may contain a secret.
  if (answer === undefined) throw failed(helper, "get", "does not answer with a JSON object");
  const [username = "", secret = ""] = [goField(answer, "Username"), goField(answer, "Secret")];
  if (typeof username !== "string" || typeof secret !== "string")
    throw failed(helper, "get", "answers with a Username or Secret that is not text");
  if (secret === "") return undefined;
  if (username === "") throw failed(helper, "get", "answers with a Secret, but without a Username");
  return username === TOKEN_USER ? { identityToken: secret } : { username, password: secret };
}

/**
 * Stores a credential with a helper.
 *
 * @throws as {@link getFromHelper} does; also `invalid-argument` for a bearer token, which a helper cannot
 * store.
 */
export async function storeInHelper(
  helper: CredentialHelper,
  server: string,
  credential: RegistryCredential,
  options: HelperOptions = {},
): Promise<void> {
  const [username, secret] =
    "password" in credential
      ? [credential.username, credential.password]
      : [TOKEN_USER, "identityToken" in credential ? credential.identityToken : undefined];
  if (secret === undefined) {
    return refuse(
      `docker-credential-${helper.name} cannot store a bearer token`,
      "a password or an identity token",
    );
  }
  const input = JSON.stringify({ ServerURL: server, Username: username, Secret: secret });
  const { status } = await run(helper, "store", input, options);
  if (status !== 0) throw failed(helper, "store", `exits with ${status}`);
}

/**
 * Removes the credential of a server from a helper. It is not an error if the helper has no such credential.
 *
 * @returns false if the helper reports that it has no such credential. Most helpers do not report this.
 */
export async function eraseFromHelper(
  helper: CredentialHelper,
  server: string,
  options: HelperOptions = {},
): Promise<boolean> {
  const { status, stdout } = await run(helper, "erase", server, options);
  if (NOT_FOUND.test(stdout)) return false;
  if (status !== 0) throw failed(helper, "erase", `exits with ${status}`);
  return true;
}

async function run(
  helper: CredentialHelper,
  action: "get" | "store" | "erase",
  input: string,
  { signal, env = process.env }: HelperOptions,
): Promise<{ status: number; stdout: string }> {
  const program = `docker-credential-${checkHelperName(helper.field, helper.name)}`;
  const limit = AbortSignal.timeout(TIMEOUT_MS);
  return new Promise((resolve, reject) => {
    const child = spawn(program, [action], {
      env,
      stdio: ["pipe", "pipe", "ignore"],
      signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
      killSignal: "SIGKILL",
    });
    const chunks: Buffer[] = [];
    let size = 0;
    const giveUp = (reason: ContainerdError): void => {
      reject(reason);
      // Child processes of the helper may leave the pipe open and continue to write.
      child.stdout.destroy();
      child.kill("SIGKILL");
    };
    child.stdout.on("data", (chunk: Buffer) => {
      size += chunk.byteLength;
      chunks.push(chunk);
      if (size > MAX_OUTPUT_BYTES)
        giveUp(failed(helper, action, `prints more than ${MAX_OUTPUT_BYTES} bytes`));
    });
    child.on("error", (reason: NodeJS.ErrnoException) => {
      if (signal?.aborted === true) {
        giveUp(canceled(`${program} ${action}`, signal.reason));
      } else if (reason.code === "ENOENT") giveUp(missing(helper));
      else if (limit.aborted) giveUp(failed(helper, action, `does not answer within ${TIMEOUT_MS / 1000} s`));
      else giveUp(failed(helper, action, `cannot be run (${reason.code})`));
    });
    child.on("close", (status, killedBy) => {
      if (status === null) reject(failed(helper, action, `was killed by ${killedBy}`));
      else resolve({ status, stdout: Buffer.concat(chunks).toString("utf8") });
    });
    // A helper may exit without reading its input.
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
  });
}

/** The message leaves out the output of the helper, which may contain a credential. */
function failed({ name, field }: CredentialHelper, action: string, problem: string): ContainerdError {
  const program = `docker-credential-${name}`;
  return new ContainerdError(
    `${field}: the helper ${program} ${problem}; to see why, run: ${program} ${action}, with the registry's name as input`,
    { kind: "failed-precondition" },
  );
}

function missing({ name, field }: CredentialHelper): ContainerdError {
  return new ContainerdError(
    `${field}: ${JSON.stringify(name)} names the program docker-credential-${name}, which is not on the PATH; install it, or remove this entry`,
    { kind: "failed-precondition" },
  );
}
