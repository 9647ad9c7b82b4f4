import { type Client, createClient, isContainerdError } from "@wfe-containerd/client";
import { type Command, Option } from "commander";
import { UsageError } from "./failure.js";
import { readNamedFile } from "./read-file.js";

/** The options that come before the command's name. */
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

/** @returns the options before and after the command; those after it win. */
export function globalOptions(command: Command): GlobalOptions {
  return { ...command.optsWithGlobals<GlobalOptions>(), ...command.opts<Partial<GlobalOptions>>() };
}

/**
 * Takes the global options after the command's name too, as nerdctl does. They are hidden in the command's
 * help. Only a command that prints a list gets `--format`.
 */
export function addGlobalFlags(program: Command, command: Command = program): void {
  for (const each of command.commands) addGlobalFlags(program, each);
  if (command.commands.length > 0) return;
  for (const { flags, long } of program.options) {
    if (long === "--version" || long === "--format") continue;
    command.addOption(new Option(flags).hideHelp());
  }
  if (PRINTING.includes(command.name()))
    command.addOption(new Option("--format <format>", "output format").choices(["table", "json"]));
}

/** The commands that print a list. */
const PRINTING = ["gc", "images", "import", "ls", "prune", "ps", "pull", "push", "version"];

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
