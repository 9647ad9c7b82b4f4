import { readdir, readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { ContainerdError } from "../error.js";
import { checkOptions, type OptionNames } from "../options.js";
import { refuse } from "../refuse.js";
import { checkClientPairs } from "./client-pair.js";
import { DEFAULT_TLS, defaultHost, type RegistryHost, type RegistryHosts } from "./host.js";
import { type HostEntry, parseHostsFile } from "./hosts-file.js";
import type { HttpTls } from "./http.js";

/** Options for {@link hostsFromDirectories}. */
export interface RegistryHostsOptions {
  /**
   * Directories with one subdirectory for each registry, which contains a hosts.toml or certificates in
   * docker's layout. The first that has a subdirectory for the registry wins. They are read on the machine of
   * this process, not on the daemon's, because this process sends the requests to registries. The default is
   * the directories of containerd and docker.
   *
   * @default ["/etc/containerd/certs.d", "/etc/docker/certs.d"]
   */
  readonly directories?: readonly string[] | undefined;
  /**
   * Registries to reach over plain http, for example `registry.lan:5000`. Default: none, except registries on
   * this machine.
   */
  readonly plainHttp?: readonly string[] | undefined;
  /**
   * Certificates (PEM) of authorities to trust for every registry, in addition to Node's own. Default: none.
   */
  readonly ca?: string | readonly string[] | undefined;
}

export const HOSTS_OPTIONS: OptionNames<RegistryHostsOptions> = {
  directories: true,
  plainHttp: true,
  ca: true,
};

const DEFAULT_DIRECTORIES: readonly string[] = ["/etc/containerd/certs.d", "/etc/docker/certs.d"];

/**
 * Finds a registry's hosts in directories in containerd's layout (`docs/hosts.md`). Files are read again for
 * each registry.
 *
 * @throws ContainerdError, from the returned function: `invalid-argument` for a hosts.toml or a certificate
 * that is not valid; `failed-precondition` for a file that cannot be read.
 *
 * @example
 * ```ts
 * const hosts = hostsFromDirectories({ directories: ["/etc/my-service/certs.d"] });
 * await client.images.pull("registry.example.com/app:1", { hosts });
 * ```
 */
export function hostsFromDirectories(options: RegistryHostsOptions = {}): RegistryHosts {
  checkOptions("hostsFromDirectories", options, HOSTS_OPTIONS);
  const { directories = DEFAULT_DIRECTORIES, plainHttp = [], ca = [] } = options;
  const mayBePlain = new Set(plainHttp);
  const general: HttpTls = { ...DEFAULT_TLS, ca: typeof ca === "string" ? [ca] : ca };

  return async (registry) => {
    for (const directory of directories) {
      for (const name of directoryNames(registry)) {
        const hosts = await readDirectory(join(directory, name), registry, mayBePlain, general);
        if (hosts !== undefined) return hosts;
      }
    }
    return [defaultHost(registry, mayBePlain, general)];
  };
}

/**
 * Names of the directory for a registry, in the order in which they are tried: for `a.example:5000` these are
 * `a.example_5000_` (some file systems do not allow a colon), `a.example:5000` and `_default`.
 */
export function directoryNames(registry: string): string[] {
  const port = /^(.+):(\d+)$/.exec(registry);
  return [...(port === null ? [] : [`${port[1]}_${port[2]}_`]), registry, "_default"];
}

async function readDirectory(
  directory: string,
  registry: string,
  mayBePlain: ReadonlySet<string>,
  general: HttpTls,
): Promise<RegistryHost[] | undefined> {
  const names = await readdir(directory).catch((reason: NodeJS.ErrnoException) => {
    if (reason.code === "ENOENT" || reason.code === "ENOTDIR") return undefined;
    throw unreadable(directory, reason);
  });
  if (names === undefined) return undefined;
  const file = join(directory, "hosts.toml");
  const text = names.includes("hosts.toml") ? await readText(file) : "";
  if (text === "") {
    const tls = await readCertificates(directory, names, general);
    return [defaultHost(registry, mayBePlain, tls)];
  }
  return Promise.all(
    parseHostsFile(file, text).map((entry) => toHost(directory, registry, entry, mayBePlain, general)),
  );
}

async function toHost(
  directory: string,
  registry: string,
  entry: HostEntry,
  mayBePlain: ReadonlySet<string>,
  general: HttpTls,
): Promise<RegistryHost> {
  const places = new Map<string, string>();
  const hostsFile = join(directory, "hosts.toml");
  const read = async (field: string, name: string): Promise<string> => {
    const file = resolve(directory, name);
    const text = await readText(file);
    places.set(text, `${hostsFile}: ${field}: the file ${file}`);
    return text;
  };
  const tls: HttpTls = {
    ca: [...general.ca, ...(await Promise.all(entry.caFiles.map((file) => read("ca", file))))],
    clientPairs: checkClientPairs(
      `${hostsFile}: client`,
      await Promise.all(
        entry.clientFiles.map(async ({ cert, key }) => ({
          cert: await read("client", cert),
          key: await read("client", key),
        })),
      ),
    ),
    skipVerify: entry.skipVerify,
    places,
  };
  const { headers, dialTimeoutMs } = entry;
  if (entry.origin === undefined)
    return { ...defaultHost(registry, mayBePlain, tls), headers, dialTimeoutMs };
  return {
    origin: entry.origin,
    path: entry.path,
    capabilities: entry.capabilities,
    headers,
    tls,
    dialTimeoutMs,
  };
}

/**
 * Reads certificates in docker's layout: `*.crt` are authorities, `*.cert` with its `*.key` is a client
 * certificate.
 */
async function readCertificates(
  directory: string,
  names: readonly string[],
  general: HttpTls,
): Promise<HttpTls> {
  const places = new Map<string, string>();
  const read = async (name: string): Promise<string> => {
    const text = await readText(join(directory, name));
    places.set(text, `${join(directory, name)}: the file`);
    return text;
  };
  const ca = await Promise.all(
    names
      .filter((name) => name.endsWith(".crt"))
      .toSorted()
      .map(read),
  );
  const pairs = names.filter((name) => name.endsWith(".cert")).toSorted();
  const clientPairs = await Promise.all(
    pairs.map(async (cert) => {
      const key = cert.replace(/\.cert$/, ".key");
      if (!names.includes(key)) {
        refuse(
          `${join(directory, cert)}: the certificate has no key in the same directory; add the file ${key}`,
        );
      }
      return { cert: await read(cert), key: await read(key) };
    }),
  );
  return {
    ca: [...general.ca, ...ca],
    clientPairs: checkClientPairs(directory, clientPairs),
    skipVerify: false,
    places,
  };
}

async function readText(file: string): Promise<string> {
  return readFile(file, "utf8").catch((reason: NodeJS.ErrnoException) => {
    throw unreadable(file, reason);
  });
}

function unreadable(path: string, reason: NodeJS.ErrnoException): ContainerdError {
  return new ContainerdError(`${path}: cannot be read (${reason.code})`, {
    kind: "failed-precondition",
    cause: reason,
  });
}
