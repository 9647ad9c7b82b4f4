import { type Command, Option } from "commander";

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
  /** `table`, `json`, a column's name or a template. */
  readonly format: string;
}

/** @returns the options before and after the command; those after it win. */
export function globalOptions(command: Command): GlobalOptions {
  return { ...command.optsWithGlobals<GlobalOptions>(), ...command.opts<Partial<GlobalOptions>>() };
}

/** Adds the options that come before the command's name. */
export function addGlobalOptions(program: Command): void {
  program
    .option(
      "--address <address>",
      "containerd: /path, unix://, tcp://, http://, https:// (default: WFE_CONTAINERD_ADDR, CONTAINERD_ADDRESS, /run/containerd/containerd.sock)",
    )
    .option("-n, --namespace <name>", "containerd's namespace (default: CONTAINERD_NAMESPACE, default)")
    .option("--snapshotter <name>", "containerd's snapshotter (default: CONTAINERD_SNAPSHOTTER, overlayfs)")
    .option("--tls-ca <file>", "certificates of the authorities to trust for the daemon's certificate")
    .option("--tls-cert <file>", "client certificate")
    .option("--tls-key <file>", "key of the client certificate")
    .option("--tls-server-name <name>", "name in the daemon's certificate")
    .option("--insecure", "allow an unencrypted connection to another machine")
    .option("--format <format>", FORMAT_HELP, "table");
}

/**
 * Takes the global options after the command's name too, as nerdctl does. They are hidden in the command's
 * help. Only a command that prints a list gets `--format`. A command's own short option of the same letter
 * wins.
 */
export function repeatGlobalOptions(program: Command, command: Command): void {
  for (const each of command.commands) repeatGlobalOptions(program, each);
  if (command.commands.length > 0) return;
  for (const { flags, long, short } of program.options) {
    if (long === "--version" || long === "--format") continue;
    const isTaken = command.options.some((own) => own.short !== undefined && own.short === short);
    command.addOption(new Option(isTaken ? flags.replace(/^-\w, /, "") : flags).hideHelp());
  }
  if (PRINTING.includes(command.name())) command.option("--format <format>", FORMAT_HELP);
}

const FORMAT_HELP = "table, json, the name of a column, or a Go template such as '{{.ID}} {{.Status}}'";

/** The commands that print a list. */
const PRINTING = [
  "doctor",
  "events",
  "gc",
  "history",
  "images",
  "import",
  "ls",
  "prune",
  "ps",
  "pull",
  "push",
  "recover",
  "stats",
  "top",
  "version",
];
