import { homedir } from "node:os";
import { join } from "node:path";
import { checkOptions, type OptionNames } from "../options.js";
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

/** Options for docker's config files. */
export interface DockerConfigOptions {
  /**
   * The directory with config.json. If given, no other source is read. Default: `DOCKER_AUTH_CONFIG` and
   * `REGISTRY_AUTH_FILE` are read first, then config.json in the directory `DOCKER_CONFIG`, else in
   * `~/.docker`.
   */
  readonly directory?: string | undefined;
  /**
   * The environment to read variables from, and to run credential helpers with.
   *
   * @default process.env
   */
  readonly env?: NodeJS.ProcessEnv | undefined;
}

const OPTIONS: OptionNames<DockerConfigOptions> = { directory: true, env: true };

type HelperContext = Pick<DockerConfigOptions, "env"> & { readonly signal?: AbortSignal | undefined };

/**
 * Finds credentials where docker and podman store them. The sources are, in order: the text in
 * `DOCKER_AUTH_CONFIG`, the file that `REGISTRY_AUTH_FILE` names, and docker's config.json. The first source
 * with a credential for the registry wins. Each source can name a credential helper, for one registry
 * (`credHelpers`) or for all (`credsStore`). Files are read again for each registry.
 *
 * The provider throws ContainerdError `invalid-argument` for a file that is not valid, and
 * `failed-precondition` for a file that cannot be read or a helper that fails.
 *
 * @example
 * ```ts
 * await client.images.pull("registry.example.com/app:1", {
 *   auth: dockerCredentials({ directory: "/etc/my-service/docker" }),
 * });
 * ```
 */
export function dockerCredentials(options: DockerConfigOptions = {}): CredentialProvider {
  checkOptions("dockerCredentials", options, OPTIONS);
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
 * Stores a credential as `docker login` does, but without asking the registry: in the file that
 * `REGISTRY_AUTH_FILE` names, else in docker's config.json. If the file names a credential helper for the
 * registry, the helper stores the credential.
 *
 * @param registry a host, or its URL: see {@link parseRegistryName}.
 * @throws ContainerdError `invalid-argument` for the registry's name or the content of the file;
 * `failed-precondition` if the file cannot be read or written, or if the helper fails.
 */
export async function storeDockerCredential(
  registry: string,
  credential: RegistryCredential,
  options: DockerConfigOptions = {},
): Promise<void> {
  checkOptions("storeDockerCredential", options, OPTIONS);
  const host = parseRegistryName(registry);
  const [file] = configFiles(options);
  const config = await readDockerConfig(file);
  const helper = helperFor(config, host);
  const key = serverKey(host);
  if (helper !== undefined) await storeInHelper(helper, key, credential, { env: options.env });
  // With a helper, docker also writes an empty entry. It uses these entries to list where the user is logged
  // in.
  const entry = helper === undefined ? toAuthEntry(credential) : {};
  await writeDockerConfig(config, {
    ...without(config.auths, keysOf(Object.keys(config.auths), host)),
    [key]: entry,
  });
}

/**
 * Removes the credential of a registry, in every spelling of its name, from each file that {@link
 * dockerCredentials} reads and from the helper of that file.
 *
 * @param registry a host, or its URL; or any key in one of the files, in whatever form.
 * @returns whether there was a credential, as far as the helper reports it.
 * @throws ContainerdError `invalid-argument` for a name that cannot have a credential, or for the content of
 * a file; `failed-precondition` if a file cannot be read or written, or if a helper fails.
 */
export async function eraseDockerCredential(
  registry: string,
  options: DockerConfigOptions = {},
): Promise<boolean> {
  checkOptions("eraseDockerCredential", options, OPTIONS);
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
    // The key of the entry shows which name was used for the login.
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
  // An empty helper name means that the registry has no helper. Then `credsStore` is not used either.
  const [field, name] =
    own === undefined
      ? ([`${place}: credsStore`, credsStore] as const)
      : ([`${place}: credHelpers.${own}`, credHelpers[own] ?? ""] as const);
  return name === "" ? undefined : { name: checkHelperName(field, name), field };
}

/** Files that may contain credentials, in the order in which they are read. */
function configFiles({ directory, env = process.env }: DockerConfigOptions): [string, ...string[]] {
  const given = directory ?? env["DOCKER_CONFIG"];
  const folder = given === undefined || given === "" ? join(env["HOME"] ?? homedir(), ".docker") : given;
  const own = join(folder, "config.json");
  const other = directory === undefined ? env["REGISTRY_AUTH_FILE"] : undefined;
  return other === undefined || other === "" || other === own ? [own] : [other, own];
}

/** `DOCKER_AUTH_CONFIG` contains the text of a config.json, for docker and for GitLab's runner. */
function environmentConfig({ directory, env = process.env }: DockerConfigOptions): DockerConfig | undefined {
  const text = env["DOCKER_AUTH_CONFIG"];
  if (directory !== undefined || text === undefined || text.trim() === "") return undefined;
  return parseDockerConfig("DOCKER_AUTH_CONFIG", text);
}

function without(auths: DockerConfig["auths"], keys: readonly string[]): DockerConfig["auths"] {
  return Object.fromEntries(Object.entries(auths).filter(([key]) => !keys.includes(key)));
}
