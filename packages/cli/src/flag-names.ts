import { ExecutorError, isExecutorError } from "@wfe-containerd/executor";
import type { Command } from "commander";

/** Fields whose flag has a different name. A flag that only drops the plural s needs no entry. */
const FLAGS: Readonly<Record<string, string>> = {
  command: "--entrypoint",
  args: "command",
  image: "image",
  working_dir: "--workdir",
  extra_hosts: "--add-host",
  cpu: "--cpus",
  seccomp: "--security-opt seccomp",
  apparmor_profile: "--security-opt apparmor",
  no_new_privileges: "--security-opt no-new-privileges",
  user_namespace: "--userns",
  stop_grace: "--stop-timeout",
  stop_grace_ms: "--stop-timeout",
  "bridge.name": "--bridge-name",
  "bridge.subnet": "--bridge-subnet",
  "bridge.plugin_dirs": "--cni-plugins",
};

/**
 * Returns the flag that sets a field of a step or of an executor's options: `capAdd[0]` becomes `--cap-add`.
 *
 * @param command the command that was called; its flags are searched.
 */
export function flagOf(field: string, command: Command): string {
  const snake = field.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  const [name = "", index] = snake.split(/[.[\]]/);
  const kebab = `--${name.replaceAll("_", "-")}`;
  const known = command.options.map(({ long }) => long);
  const flag = [kebab, kebab.slice(0, -1)].find((each) => known.includes(each));
  if (flag !== undefined && isFromMount(flag, Number(index), command)) return "--mount";
  return FLAGS[snake] ?? FLAGS[name] ?? flag ?? field;
}

/** `toMounts` puts the mounts of `--mount` after those of `--volume` and `--tmpfs`: their index is higher. */
function isFromMount(flag: string, index: number, command: Command): boolean {
  const { volume = [], tmpfs = [] } = command.opts<Record<string, readonly string[]>>();
  return (flag === "--volume" && index >= volume.length) || (flag === "--tmpfs" && index >= tmpfs.length);
}

/**
 * Changes an ExecutorError so that its message names flags instead of fields: the user typed flags. Any other
 * error is returned unchanged.
 */
export function inFlags(reason: unknown, command: Command): unknown {
  if (!isExecutorError(reason) || reason.issues.length === 0) return reason;
  const { kind } = reason;
  const issues = reason.issues.map((issue) => ({ ...issue, field: flagOf(issue.field, command) }));
  const lines = issues.map(
    ({ field, message, allowed }) =>
      `${field}: ${message}${allowed === undefined ? "" : `; allowed: ${allowed}`}`,
  );
  return new ExecutorError(lines.join("; "), { kind, issues, cause: reason });
}
