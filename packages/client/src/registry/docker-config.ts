import { randomBytes } from "node:crypto";
import { lstat, mkdir, open, readFile, readlink, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { ContainerdError } from "../error.js";
import { type CredentialProvider, canonicalHost, type RegistryCredential } from "./credential.js";
import { checkHelperName, eraseFromHelper, getFromHelper, storeInHelper } from "./credential-helper.js";

export interface DockerConfigOptions {
  /** The directory with config.json. Default: `DOCKER_CONFIG`, else `~/.docker`. */
  readonly directory?: string | undefined;
  /** Environment that is looked into, and that credential helpers run in. Default: this process's. */
  readonly env?: NodeJS.ProcessEnv | undefined;
}

interface DockerConfig {
  readonly auths?: Readonly<Record<string, AuthEntry>>;
  readonly credsStore?: string;
  readonly credHelpers?: Readonly<Record<string, string>>;
  readonly [other: string]: unknown;
}

interface AuthEntry {
  readonly auth?: string;
  readonly username?: string;
  readonly password?: string;
  readonly identitytoken?: string;
  readonly registrytoken?: string;
}

/** By this name docker keeps the credential for its hub. */
const DOCKER_HUB_KEY = "https://index.docker.io/v1/";

/**
 * Credentials where docker's users have them: in config.json itself, or with the helper that it names for a registry (`credHelpers`) or for
 * all (`credsStore`). The file is read anew for each registry; where there is none, nobody is known.
 */
export function dockerCredentials(options: DockerConfigOptions = {}): CredentialProvider {
  return async (host, { signal } = {}) => {
    const file = configFile(options);
    const config = await readConfig(file);
    const helper = helperFor(file, config, host);
    if (helper !== undefined) {
      const found = await getFromHelper(helper, serverKey(host), { signal, env: options.env });
      if (found !== undefined) return found;
    }
    const entry = Object.entries(config.auths ?? {}).find(
      ([key]) => canonicalHost(hostOfKey(key)) === canonicalHost(host),
    );
    return entry === undefined ? undefined : toCredential(file, ...entry);
  };
}

/** Keeps a credential in docker's config, or with the helper that it names. The file is for its owner alone, and replaced as a whole. */
export async function storeDockerCredential(
  host: string,
  credential: RegistryCredential,
  options: DockerConfigOptions = {},
): Promise<void> {
  const file = configFile(options);
  const config = await readConfig(file);
  const helper = helperFor(file, config, host);
  const key = serverKey(host);
  if (helper !== undefined) await storeInHelper(helper, key, credential, { env: options.env });
  // Beside a helper, docker leaves an empty entry, by which it lists where one is logged in.
  const entry = helper === undefined ? toEntry(credential) : {};
  await writeConfig(file, { ...config, auths: { ...without(config.auths, host), [key]: entry } });
}

/**
 * Forgets a registry's credential.
 *
 * @returns whether there was one in the file.
 */
export async function eraseDockerCredential(
  host: string,
  options: DockerConfigOptions = {},
): Promise<boolean> {
  const file = configFile(options);
  const config = await readConfig(file);
  const helper = helperFor(file, config, host);
  if (helper !== undefined) await eraseFromHelper(helper, serverKey(host), { env: options.env });
  const auths = without(config.auths, host);
  const isChanged = Object.keys(auths).length < Object.keys(config.auths ?? {}).length;
  if (isChanged) await writeConfig(file, { ...config, auths });
  return isChanged;
}

function configFile({ directory, env = process.env }: DockerConfigOptions): string {
  const given = directory ?? env["DOCKER_CONFIG"];
  return join(
    given === undefined || given === "" ? join(env["HOME"] ?? homedir(), ".docker") : given,
    "config.json",
  );
}

async function readConfig(file: string): Promise<DockerConfig> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (reason) {
    const { code } = reason as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return {};
    throw new ContainerdError(`${file} cannot be read (${code})`, { kind: "failed-precondition" });
  }
  try {
    const config: unknown = JSON.parse(text);
    if (typeof config === "object" && config !== null && !Array.isArray(config))
      return config as DockerConfig;
  } catch {
    // Said below. JSON.parse's own message quotes the file.
  }
  throw new ContainerdError(`${file} is no JSON object; allowed: docker's config.json`, {
    kind: "invalid-argument",
  });
}

async function writeConfig(file: string, config: DockerConfig): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  // Where the file is a link, to a mounted directory perhaps, the link stays.
  const isLink = await lstat(file).then(
    (stat) => stat.isSymbolicLink(),
    () => false,
  );
  const target = isLink ? resolve(dirname(file), await readlink(file)) : file;
  const temporary = `${target}.${randomBytes(6).toString("hex")}`;
  try {
    const handle = await open(temporary, "wx", 0o600);
    try {
      await handle.writeFile(`${JSON.stringify(config, null, "\t")}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, target);
  } catch (reason) {
    await rm(temporary, { force: true });
    const { code } = reason as NodeJS.ErrnoException;
    throw new ContainerdError(`${file} cannot be written (${code})`, { kind: "failed-precondition" });
  }
}

function helperFor(
  file: string,
  { credHelpers, credsStore }: DockerConfig,
  host: string,
): string | undefined {
  const own = Object.entries(credHelpers ?? {}).find(
    ([key]) => canonicalHost(hostOfKey(key)) === canonicalHost(host),
  );
  if (own !== undefined) return checkHelperName(`${file}: credHelpers.${own[0]}`, own[1]);
  return credsStore === undefined || credsStore === ""
    ? undefined
    : checkHelperName(`${file}: credsStore`, credsStore);
}

function serverKey(host: string): string {
  return canonicalHost(host) === "docker.io" ? DOCKER_HUB_KEY : host;
}

/** Keys are hosts, or URLs that older versions of docker wrote. */
function hostOfKey(key: string): string {
  return key.replace(/^https?:\/\//, "").replace(/\/.*$/s, "");
}

function without(auths: DockerConfig["auths"] = {}, host: string): Record<string, AuthEntry> {
  return Object.fromEntries(
    Object.entries(auths).filter(([key]) => canonicalHost(hostOfKey(key)) !== canonicalHost(host)),
  );
}

function toEntry(credential: RegistryCredential): AuthEntry {
  if ("registryToken" in credential) return { registrytoken: credential.registryToken };
  if ("identityToken" in credential) return { identitytoken: credential.identityToken };
  return { auth: Buffer.from(`${credential.username}:${credential.password}`).toString("base64") };
}

function toCredential(file: string, key: string, entry: AuthEntry): RegistryCredential | undefined {
  const { auth, username, password, identitytoken, registrytoken } = entry ?? {};
  if (isText(registrytoken)) return { registryToken: registrytoken };
  if (isText(identitytoken)) return { identityToken: identitytoken };
  if (isText(username) && isText(password)) return { username, password };
  if (!isText(auth)) return undefined;
  const text = Buffer.from(auth, "base64").toString("utf8").replace(/\0+$/, "");
  const colon = text.indexOf(":");
  if (colon < 1) {
    throw new ContainerdError(
      `${file}: auths.${key}.auth holds no user name and password; allowed: base64 of user:password`,
      {
        kind: "invalid-argument",
      },
    );
  }
  return { username: text.slice(0, colon), password: text.slice(colon + 1) };
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}
