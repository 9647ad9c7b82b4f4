import { type Client, createClient, isContainerdError } from "@wfe-containerd/client";
import type { Command } from "commander";
import { UsageError } from "./failure.js";
import { globalOptions } from "./global-options.js";
import { readNamedFile } from "./read-file.js";

/**
 * Creates a client for the daemon that the global options name.
 *
 * @throws UsageError when a TLS file cannot be read or has the wrong contents.
 */
export async function connect(command: Command): Promise<Client> {
  const { address, namespace, snapshotter, tlsCa, tlsCert, tlsKey, tlsServerName, insecure } =
    globalOptions(command);
  const files = { ca: tlsCa, cert: tlsCert, key: tlsKey };
  const hasTls = [tlsCa, tlsCert, tlsKey, tlsServerName].some((value) => value !== undefined);
  const tls = hasTls && {
    ca: await read("--tls-ca", tlsCa),
    cert: await read("--tls-cert", tlsCert),
    key: await read("--tls-key", tlsKey),
    serverName: tlsServerName,
  };
  try {
    return createClient({ address, namespace, snapshotter, insecure, ...(tls !== false && { tls }) });
  } catch (reason) {
    // The client sees only the contents of the files, so its message is changed to name the file.
    const field = isContainerdError(reason) ? /^tls\.(ca|cert|key): /.exec(reason.message) : null;
    if (field === null) throw reason;
    const [start, name] = [field[0], field[1] as keyof typeof files];
    throw new UsageError(
      `--tls-${name} ${files[name]}: the file ${(reason as Error).message.slice(start.length)}`,
      { cause: reason },
    );
  }
}

async function read(flag: string, path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  return (await readNamedFile(flag, path)).toString("utf8");
}
