import { spawn } from "node:child_process";
import { ContainerdError } from "../error.js";
import type { RegistryCredential } from "./credential.js";

export interface HelperOptions {
  readonly signal?: AbortSignal | undefined;
  /** Where the program is looked for. Default: the PATH of this process. */
  readonly env?: NodeJS.ProcessEnv | undefined;
}

/** No file on a PATH has a longer one. */
const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}$/;
const TIMEOUT_MS = 60_000;
const MAX_OUTPUT_BYTES = 1024 * 1024;
/** By this user name a helper says that its secret is an identity token. */
const TOKEN_USER = "<token>";

/**
 * Checks the name of a credential helper, as docker's config gives it: the program is `docker-credential-` and this name, on the PATH. One
 * with a slash in it would name a program anywhere.
 *
 * @throws ContainerdError `invalid-argument`.
 */
export function checkHelperName(field: string, name: unknown): string {
  if (typeof name === "string" && NAME.test(name)) return name;
  throw new ContainerdError(
    `${field}: ${JSON.stringify(name)?.slice(0, 100)} is no credential helper; allowed: up to 200 letters, digits, "_", "." and "-", no slash`,
    { kind: "invalid-argument" },
  );
}

/** Asks a helper for a server's credential; undefined when it has none. The server's name goes in by stdin, the secret comes by stdout. */
export async function getFromHelper(
  name: string,
  server: string,
  options: HelperOptions = {},
): Promise<RegistryCredential | undefined> {
  const { status, stdout } = await run(name, "get", server, options);
  if (status !== 0) {
    // The protocol has no code for it, only these words.
    if (/credentials not found|no credentials server url|no credentials username/i.test(stdout))
      return undefined;
    throw failed(name, "get", `exits with ${status}`);
  }
  let answer: { Username?: unknown; Secret?: unknown };
  try {
    answer = JSON.parse(stdout) as typeof answer;
  } catch {
    // Without a cause: it would quote what the helper printed.
    throw failed(name, "get", "does not answer in JSON");
  }
  const { Username: username, Secret: secret } = answer ?? {};
  if (typeof username !== "string" || typeof secret !== "string")
    throw failed(name, "get", "answers without Username and Secret");
  if (secret === "") return undefined;
  return username === TOKEN_USER ? { identityToken: secret } : { username, password: secret };
}

/** Gives a helper a credential to keep. */
export async function storeInHelper(
  name: string,
  server: string,
  credential: RegistryCredential,
  options: HelperOptions = {},
): Promise<void> {
  const [username, secret] =
    "password" in credential
      ? [credential.username, credential.password]
      : [TOKEN_USER, "identityToken" in credential ? credential.identityToken : undefined];
  if (secret === undefined) {
    throw new ContainerdError(
      `docker-credential-${name} cannot keep a bearer token; allowed: a password or an identity token`,
      {
        kind: "invalid-argument",
      },
    );
  }
  const input = JSON.stringify({ ServerURL: server, Username: username, Secret: secret });
  const { status } = await run(name, "store", input, options);
  if (status !== 0) throw failed(name, "store", `exits with ${status}`);
}

/** Makes a helper forget a server's credential. One that it does not have is no error. */
export async function eraseFromHelper(
  name: string,
  server: string,
  options: HelperOptions = {},
): Promise<void> {
  const { status, stdout } = await run(name, "erase", server, options);
  if (status !== 0 && !/credentials not found/i.test(stdout))
    throw failed(name, "erase", `exits with ${status}`);
}

async function run(
  name: string,
  action: "get" | "store" | "erase",
  input: string,
  { signal, env = process.env }: HelperOptions,
): Promise<{ status: number; stdout: string }> {
  const program = `docker-credential-${checkHelperName("credential helper", name)}`;
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
    const refuse = (reason: ContainerdError): void => {
      reject(reason);
      // Programs that it has started may hold the pipe open, and write on.
      child.stdout.destroy();
      child.kill("SIGKILL");
    };
    child.stdout.on("data", (chunk: Buffer) => {
      size += chunk.byteLength;
      chunks.push(chunk);
      if (size > MAX_OUTPUT_BYTES) refuse(failed(name, action, `prints more than ${MAX_OUTPUT_BYTES} bytes`));
    });
    child.on("error", (reason: NodeJS.ErrnoException) => {
      if (signal?.aborted === true) {
        refuse(new ContainerdError(`${program} ${action}: aborted by the caller`, { kind: "canceled" }));
      } else if (reason.code === "ENOENT") refuse(failed(name, action, "is not on the PATH"));
      else if (limit.aborted) refuse(failed(name, action, `does not answer within ${TIMEOUT_MS / 1000} s`));
      else refuse(failed(name, action, `cannot be run (${reason.code})`));
    });
    child.on("close", (status, killedBy) => {
      if (status === null) reject(failed(name, action, `is killed by ${killedBy}`));
      else resolve({ status, stdout: Buffer.concat(chunks).toString("utf8") });
    });
    // A helper may exit without reading.
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
  });
}

/** Without what the helper printed, which may hold what it keeps. */
function failed(name: string, action: string, problem: string): ContainerdError {
  return new ContainerdError(
    `docker-credential-${name} ${problem}; to see why, run: docker-credential-${name} ${action}, with the registry's name as input`,
    { kind: "failed-precondition" },
  );
}
