import { createExecutor, type Executor, type ExecutorOptions } from "@wfe-containerd/executor";
import type { Command } from "commander";
import { UsageError } from "./failure.js";
import { inFlags } from "./flag-names.js";
import { collect } from "./transfer.js";

/** Flags that describe the daemon's machine. */
export interface MachineFlags {
  readonly bridgeName?: string;
  readonly bridgeSubnet?: string;
  readonly cniPlugins?: readonly string[];
  readonly masquerade: boolean;
  readonly initPath?: string;
  readonly usernsRange?: string;
}

export function addMachineFlags(command: Command): Command {
  return command
    .optionsGroup("The daemon's machine:")
    .option("--bridge-name <name>", "name of the bridge on the daemon's machine (default: wfe0)")
    .option("--bridge-subnet <subnet>", "addresses of steps on the bridge (default: 10.87.0.0/16)")
    .option("--cni-plugins <directory>", "directory of the CNI plugins on the daemon's machine", collect)
    .option("--no-masquerade", "steps on the bridge reach only the daemon's machine and each other")
    .option(
      "--init-path <path>",
      "init program on the daemon's machine; needed when the daemon is on another machine",
    )
    .option("--userns-range <hostid[:size]>", "host ids for --userns private (default: 1000000000:65536)");
}

/**
 * Creates an executor with the options that the flags give.
 *
 * @throws UsageError when a flag has the wrong form, ExecutorError that names the flags when a value is
 *   refused.
 */
export function createExecutorOn(
  flags: MachineFlags,
  options: Omit<ExecutorOptions, "bridge" | "init" | "userNamespace">,
  command: Command,
): Executor {
  const { bridgeName: name, bridgeSubnet: subnet, cniPlugins: pluginDirs, masquerade, initPath } = flags;
  const userNamespace = flags.usernsRange === undefined ? undefined : idRange(flags.usernsRange);
  if (initPath !== undefined && !initPath.startsWith("/"))
    throw new UsageError(
      `--init-path: ${JSON.stringify(initPath)} is not an absolute path; allowed: a path on the daemon's machine, for example /usr/bin/tini-static`,
    );
  try {
    return createExecutor({
      ...options,
      bridge: { name, subnet, pluginDirs, masquerade },
      ...(initPath !== undefined && { init: initPath }),
      ...(userNamespace && { userNamespace }),
    });
  } catch (reason) {
    throw inFlags(reason, command);
  }
}

function idRange(text: string): { hostId: number; size?: number } {
  const [, hostId, size] = /^(\d{1,10})(?::(\d{1,10}))?$/.exec(text) ?? [];
  if (hostId === undefined)
    throw new UsageError(
      `--userns-range: ${JSON.stringify(text)} is not a range; allowed: the first id and the number of ids, for example 1000000000:65536`,
    );
  return { hostId: Number(hostId), ...(size !== undefined && { size: Number(size) }) };
}
