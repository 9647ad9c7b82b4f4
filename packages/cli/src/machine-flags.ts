import { createExecutor, type Executor, type ExecutorOptions } from "@wfe-containerd/executor";
import type { Command } from "commander";
import { UsageError } from "./failure.js";
import { inFlags } from "./flag-names.js";
import { collect } from "./transfer.js";

/** What an operator says of the daemon's machine. */
export interface MachineFlags {
  readonly bridgeName?: string;
  readonly bridgeSubnet?: string;
  readonly cniPlugins?: readonly string[];
  readonly masquerade: boolean;
  readonly initPath?: string;
  readonly usernsRange?: string;
}

/** Adds the flags to a command. */
export function addMachineFlags(command: Command): Command {
  return command
    .option("--bridge-name <name>", "bridge on the daemon's machine (default: wfe0)")
    .option("--bridge-subnet <subnet>", "addresses of steps on the bridge (default: 10.87.0.0/16)")
    .option("--cni-plugins <directory>", "where the daemon's machine has CNI's plugins", collect)
    .option("--no-masquerade", "steps on the bridge reach the daemon's machine and each other alone")
    .option("--init-path <path>", "the init program on the daemon's machine; needed when that is not ours")
    .option("--userns-range <hostid[:size]>", "ids behind private ones (default: 1000000000:65536)");
}

/** An executor on the machine that the flags tell of. @throws what is wrong with them, by their names. */
export function createExecutorOn(
  flags: MachineFlags,
  options: Omit<ExecutorOptions, "bridge" | "init" | "userNamespace">,
  command: Command,
): Executor {
  const { bridgeName: name, bridgeSubnet: subnet, cniPlugins: pluginDirs, masquerade, initPath } = flags;
  const userNamespace = flags.usernsRange === undefined ? undefined : idRange(flags.usernsRange);
  if (initPath !== undefined && !initPath.startsWith("/"))
    throw new UsageError(
      `--init-path: ${JSON.stringify(initPath)} is not absolute; allowed: /usr/bin/tini-static`,
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
      `--userns-range: ${JSON.stringify(text)} is no range; allowed: the first id, and how many: 1000000000:65536`,
    );
  return { hostId: Number(hostId), ...(size !== undefined && { size: Number(size) }) };
}
