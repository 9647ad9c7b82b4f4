import { homedir } from "node:os";
import { join } from "node:path";
import { keysOf, readAuthEntry, serverKey, toAuthEntry } from "./auth-entry.js";
import type { CredentialProvider, RegistryCredential } from "./credential.js";
import {
  type CredentialHelper,
  checkHelperName,
  eraseFromHelper,
  getFromHelper,
  storeInHelper,
} from "./credential-helper.js";
import {
  type DockerConfig,
  parseDockerConfig,
  readDockerConfig,
  writeDockerConfig,
} from "./docker-config-file.js";
import { hostOfKey, parseRegistryName } from "./registry-name.js";

export interface DockerConfigOptions {
  /**
   * The directory with config.json; nothing else is read then. Default: `DOCKER_CONFIG`, else `~/.docker`, after what
   * `DOCKER_AUTH_CONFIG` and `REGISTRY_AUTH_FILE` give.
   */
  readonly directory?: string | undefined;
  /** Environment that is looked into, and that credential helpers run in. Default: this process's. */
  readonly env?: NodeJS.ProcessEnv | undefined;
}

type HelperContext = Pick<DockerConfigOptions, "env"> & { readonly signal?: AbortSignal | undefined };

/**
 * Credentials where the users of docker and podman have them: in the text of `DOCKER_AUTH_CONFIG`, in the file that
 * `REGISTRY_AUTH_FILE` names, in docker's config.json; the first that has one for the registry counts. Each may name a helper
 * program, for a registry (`credHelpers`) or for all (`credsStore`). Files are read anew for each registry.
 */
export function dockerCredentials(options: DockerConfigOptions = {}): CredentialProvider {
  return async (host, { signal } = {}) => {
    const text = environmentConfig(options);
    const context = { env: options.env, signal };
    if (text !== undefined) {
      const found = await findCredential(text, host, context);
      if (found !== undefined) return found;
    }
    for (const file of configFiles(options)) {
      const found = await findCredential(await readDockerConfig(file), host, context);
      if (found !== undefined) return found;
    }
    return undefined;
  };
}

/**
 * Keeps a credential in the file that `REGISTRY_AUTH_FILE` names, else in docker's config.json, or with the helper that the
 * file names.
 *
 * @param registry a host, or a URL of it: see {@link parseRegistryName}.
 */
export async function storeDockerCredential(
  registry: string,
  credential: RegistryCredential,
  options: DockerConfigOptions = {},
): Promise<void> {
  const host = parseRegistryName(registry);
  const [file] = configFiles(options);
  const config = await readDockerConfig(file);
  const helper = helperFor(config, host);
  const key = serverKey(host);
  if (helper !== undefined) await storeInHelper(helper, key, credential, { env: options.env });
  // Beside a helper, docker leaves an empty entry, by which it lists where one is logged in.
  const entry = helper === undefined ? toAuthEntry(credential) : {};
  await writeDockerConfig(config, {
    ...without(config.auths, keysOf(Object.keys(config.auths), host)),
    [key]: entry,
  });
}

/**
 * Forgets a registry's credential, in every spelling of the registry, in each file that {@link dockerCredentials} reads and with
 * its helper.
 *
 * @param registry a host, or a URL of it; or a key of a file, whatever it looks like.
 * @returns whether there was one, as far as a helper tells.
 * @throws ContainerdError `invalid-argument` for a name that can have no credential.
 */
export async function eraseDockerCredential(
  registry: string,
  options: DockerConfigOptions = {},
): Promise<boolean> {
  const configs = await Promise.all(configFiles(options).map(readDockerConfig));
  const isKey = configs.some(({ auths }) => Object.hasOwn(auths, registry));
  const host = isKey ? hostOfKey(registry) : parseRegistryName(registry);
  let isKnown = false;
  for (const config of configs) {
    const keys = keysOf(Object.keys(config.auths), host);
    const helper = helperFor(config, host);
    if (helper !== undefined) {
      for (const name of new Set([serverKey(host), ...keys])) {
        const wasKnown = await eraseFromHelper(helper, name, { env: options.env });
        isKnown ||= wasKnown;
      }
    }
    if (keys.length === 0) continue;
    await writeDockerConfig(config, without(config.auths, keys));
    isKnown = true;
  }
  return isKnown;
}

async function findCredential(
  config: DockerConfig,
  host: string,
  context: HelperContext,
): Promise<RegistryCredential | undefined> {
  const [key] = keysOf(Object.keys(config.auths), host);
  const helper = helperFor(config, host);
  if (helper !== undefined) {
    // An entry tells under which name somebody logged in.
    for (const name of new Set([serverKey(host), ...(key === undefined ? [] : [key])])) {
      const found = await getFromHelper(helper, name, context);
      if (found !== undefined) return found;
    }
  }
  if (key === undefined) return undefined;
  return readAuthEntry(`${config.place}: auths.${key}`, config.auths[key] ?? {});
}

function helperFor(
  { place, credHelpers, credsStore }: DockerConfig,
  host: string,
): CredentialHelper | undefined {
  const [own] = keysOf(Object.keys(credHelpers), host);
  // A registry with an empty name has no helper: the one for all is not asked either.
  const [field, name] =
    own === undefined
      ? ([`${place}: credsStore`, credsStore] as const)
      : ([`${place}: credHelpers.${own}`, credHelpers[own] ?? ""] as const);
  return name === "" ? undefined : { name: checkHelperName(field, name), field };
}

/** Files that may hold credentials, the one that counts first. */
function configFiles({ directory, env = process.env }: DockerConfigOptions): [string, ...string[]] {
  const given = directory ?? env["DOCKER_CONFIG"];
  const folder = given === undefined || given === "" ? join(env["HOME"] ?? homedir(), ".docker") : given;
  const own = join(folder, "config.json");
  const other = directory === undefined ? env["REGISTRY_AUTH_FILE"] : undefined;
  return other === undefined || other === "" || other === own ? [own] : [other, own];
}

/** `DOCKER_AUTH_CONFIG` holds the text of a config.json, as docker and GitLab's runner take it. */
function environmentConfig({ directory, env = process.env }: DockerConfigOptions): DockerConfig | undefined {
  const text = env["DOCKER_AUTH_CONFIG"];
  if (directory !== undefined || text === undefined || text.trim() === "") return undefined;
  return parseDockerConfig("DOCKER_AUTH_CONFIG", text);
}

function without(auths: DockerConfig["auths"], keys: readonly string[]): DockerConfig["auths"] {
  return Object.fromEntries(Object.entries(auths).filter(([key]) => !keys.includes(key)));
}
