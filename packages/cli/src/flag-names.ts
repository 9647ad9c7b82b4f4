import { ExecutorError, isExecutorError, STEP_FIELDS } from "@wfe-containerd/executor";
import type { Command } from "commander";

/** The flags of options. Those of a step's fields are declared with the fields. */
const OPTION_FLAGS: Readonly<Record<string, string>> = {
  stdin: "--interactive",
  terminal: "--tty",
  "bridge.name": "--bridge-name",
  "bridge.subnet": "--bridge-subnet",
  "bridge.plugin_dirs": "--cni-plugins",
  secrets: "--secret",
};

/**
 * Returns the flag that sets a field of a step or of an executor's options: `capAdd[0]` becomes `--cap-add`.
 *
 * @param command the command that was called; its flags are searched.
 */
export function flagOf(field: string, command: Command): string {
  const snake = field.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  const [name = "", index] = snake.split(/[.[\]]/);
  const flag = declaredFlag(name) ?? OPTION_FLAGS[snake];
  if (flag !== undefined && isFromMount(flag, Number(index), command)) return "--mount";
  return flag ?? field;
}

function declaredFlag(name: string): string | undefined {
  const flag = Object.hasOwn(STEP_FIELDS, name) ? STEP_FIELDS[name]?.flag : undefined;
  return typeof flag === "object" ? /--[a-z-]+/.exec(flag.usage)?.[0] : flag;
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
