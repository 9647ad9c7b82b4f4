import type { TransferProgress } from "@wfe-containerd/client";
import { type Command, Option } from "commander";
import { answerFlags, type OtherFlag } from "./answer-flags.js";
import { SignalError } from "./failure.js";
import { createProgressView } from "./progress.js";

/** Flags of the commands that pull or push. */
export interface TransferFlags extends RegistryFlags {
  readonly platform?: readonly string[];
  readonly progress: "auto" | "plain" | "json" | "none";
  readonly quiet?: boolean;
}

/** Flags that say how to reach a registry. */
export interface RegistryFlags {
  readonly plainHttp?: readonly string[];
  readonly hostsDir?: string;
  readonly tokenHost?: readonly string[];
}

export function addRegistryFlags(command: Command): Command {
  return command
    .optionsGroup("Registries:")
    .option(
      "--plain-http <host>",
      "use http, without TLS, for this registry or mirror; may be given again (default: only on this machine)",
      collect,
    )
    .option(
      "--hosts-dir <path>",
      "directory with a hosts.toml for each registry (default: /etc/containerd/certs.d)",
    )
    .option(
      "--token-host <host>",
      "host of a token service, outside the registry's domain, that may get the credential; may be given again",
      collect,
    );
}

/** Flags of docker's pull and push. */
const OTHER_FLAGS: readonly OtherFlag[] = [
  { flags: "-a, --all-tags", instead: () => "only one tag at a time; give it in the image's name" },
  { flags: "--disable-content-trust", instead: () => undefined },
];

export function addTransferFlags(command: Command): Command {
  answerFlags(command, OTHER_FLAGS);
  command.option("-q, --quiet", "no progress, and print only the image's name");
  return addRegistryFlags(command).addOption(
    new Option("--progress <how>", "auto: bars on a terminal, otherwise lines; json: JSON lines")
      .choices(["auto", "plain", "json", "none"])
      .default("auto"),
  );
}

/** Turns the flags into the client's options for registries. */
export function registryOptions({ plainHttp, hostsDir, tokenHost }: RegistryFlags) {
  return {
    tokenHosts: tokenHost,
    hosts: { plainHttp, directories: hostsDir === undefined ? undefined : [hostsDir] },
  };
}

/** Collects the values of a flag that may be given more than once. */
export function collect(value: string, all: readonly string[] = []): string[] {
  return [...all, value];
}

/**
 * Runs a transfer and shows its progress. The first SIGINT or SIGTERM aborts it.
 *
 * @throws SignalError if it does.
 */
export async function transfer<T>(
  { progress, quiet = false }: Pick<TransferFlags, "progress" | "quiet">,
  run: (options: { signal: AbortSignal; onProgress: (progress: TransferProgress) => void }) => Promise<T>,
): Promise<T> {
  const view = createProgressView(quiet ? "none" : progress, process.stderr);
  const aborted = new AbortController();
  let received: NodeJS.Signals | undefined;
  const onSignal = (signal: NodeJS.Signals): void => {
    received = signal;
    aborted.abort();
  };
  process.once("SIGINT", onSignal).once("SIGTERM", onSignal);
  try {
    return await run({ signal: aborted.signal, onProgress: view.show });
  } catch (reason) {
    throw received === undefined ? reason : new SignalError(received, reason);
  } finally {
    view.close();
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
  }
}
