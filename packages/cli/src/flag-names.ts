import { ExecutorError, isExecutorError } from "@wfe-containerd/executor";
import type { Command } from "commander";

/** The flags whose names are not those of the fields that they become, but for a plural. */
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
 * How a field of a step, or of an executor's options, is called on the command line: `capAdd[0]` is `--cap-add`.
 *
 * @param command whose flags they are.
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

/** What `--mount` says stands behind what `--volume` and `--tmpfs` do. */
function isFromMount(flag: string, index: number, command: Command): boolean {
  const { volume = [], tmpfs = [] } = command.opts<Record<string, readonly string[]>>();
  return (flag === "--volume" && index >= volume.length) || (flag === "--tmpfs" && index >= tmpfs.length);
}

/** Whoever typed flags is told of flags. */
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
