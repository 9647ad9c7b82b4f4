import { readFile } from "node:fs/promises";
import { type Client, createClient, isContainerdError } from "@wfe-containerd/client";
import type { Command } from "commander";
import { UsageError } from "./failure.js";

/** The options that stand before every command. */
export interface GlobalOptions {
  readonly address?: string;
  readonly namespace?: string;
  readonly snapshotter?: string;
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsServerName?: string;
  readonly insecure?: boolean;
  readonly format: "table" | "json";
}

export function globalOptions(command: Command): GlobalOptions {
  return command.optsWithGlobals<GlobalOptions>();
}

/** A client for the daemon that the options name. */
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
    // The client knows the contents only, and not the files.
    const field = isContainerdError(reason) ? /^tls\.(ca|cert|key): it /.exec(reason.message) : null;
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
  return readFile(path, "utf8").catch((cause: unknown) => {
    throw new UsageError(`${flag}: cannot read ${path}`, { cause });
  });
}
