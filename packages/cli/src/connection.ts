import { readFile } from "node:fs/promises";
import { type Client, createClient } from "@wfe-containerd/client";
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
  const hasTls = [tlsCa, tlsCert, tlsKey, tlsServerName].some((value) => value !== undefined);
  return createClient({
    address,
    namespace,
    snapshotter,
    insecure,
    ...(hasTls && {
      tls: {
        ca: await read("--tls-ca", tlsCa),
        cert: await read("--tls-cert", tlsCert),
        key: await read("--tls-key", tlsKey),
        serverName: tlsServerName,
      },
    }),
  });
}

async function read(flag: string, path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  return readFile(path, "utf8").catch((cause: unknown) => {
    throw new UsageError(`${flag}: cannot read ${path}`, { cause });
  });
}
