import type { Command, Option } from "commander";
import { UsageError } from "./failure.js";

/** Switches of docker that cannot be turned off with `=false` here, with what to do instead. */
const OFF: Readonly<Record<string, string>> = {
  "--disable-content-trust":
    "wfe-containerd does not check signatures of images; name the image by its digest instead: IMAGE@sha256:...",
  "--rm": "a step's container is always removed; keep files in a volume: -v NAME:PATH",
  "--sig-proxy":
    "the first signal always stops the step; to keep signals away, start wfe-containerd in a new session: setsid wfe-containerd run ...",
};

/**
 * Lets a command take its flags in docker's spelling, too. Call it when all of them are added.
 *
 * @param options `passesThrough`: what stands behind the first operand is not ours. Default `false`.
 */
export function takeDockerSpelling(
  command: Command,
  { passesThrough = false }: { readonly passesThrough?: boolean },
): void {
  const parseOptions = command.parseOptions.bind(command);
  command.parseOptions = (args) => parseOptions(fromDockerSpelling(args, command.options, passesThrough));
}

/** The words that Go accepts for true and false. */
const BOOLEANS: Readonly<Record<string, boolean>> = {
  ...Object.fromEntries(["1", "t", "T", "true", "TRUE", "True"].map((text) => [text, true])),
  ...Object.fromEntries(["0", "f", "F", "false", "FALSE", "False"].map((text) => [text, false])),
};

/**
 * Rewrites arguments from docker's spelling to commander's: `--rm=true` becomes `--rm`, `--init=false` is
 * removed, `--sig-proxy=false` becomes `--no-sig-proxy` if the command has that, `-m=64m` becomes `-m 64m`.
 *
 * @throws UsageError when a switch cannot be turned off, or has a value other than true or false.
 */
function fromDockerSpelling(
  args: readonly string[],
  options: readonly Option[],
  passesThrough: boolean,
): string[] {
  const taken: string[] = [];
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] as string;
    const isOperand = !/^-./.test(arg);
    if (arg === "--" || (isOperand && passesThrough)) return [...taken, ...args.slice(at)];
    const [, name = arg, value] = /^(--?[^=]+)=(.*)$/s.exec(arg) ?? [];
    const { option, isLast } = optionOf(name, options);
    if (isOperand || option === undefined || !isLast) {
      taken.push(arg);
    } else if (!option.required) {
      taken.push(...(value === undefined ? [arg] : switchOf({ option, options, name, value })));
    } else if ((value ?? args[at + 1]) === "" && GIVEN_UNLESS_EMPTY.includes(option.long ?? "")) {
      if (value === undefined) at++;
    } else if (value !== undefined) {
      taken.push(...(name.startsWith("--") ? [arg] : [name, value]));
    } else {
      // The next argument is this option's value, not the image.
      taken.push(arg, ...args.slice(at + 1, at + 2));
      at++;
    }
  }
  return taken;
}

/** For these options an empty value counts as not given, as in docker: `--user "$UNSET"`. */
const GIVEN_UNLESS_EMPTY = [
  "--cidfile",
  "--cpuset-cpus",
  "--cpuset-mems",
  "--hostname",
  "--name",
  "--net",
  "--network",
  "--platform",
  "--pull",
  "--stop-signal",
  "--user",
  "--userns",
  "--workdir",
];

/**
 * Finds the option of `--name`, `-n` or `-itn`. `isLast` is false when the argument goes on, as in `-m64m`.
 */
function optionOf(name: string, options: readonly Option[]): { option: Option | undefined; isLast: boolean } {
  if (name.startsWith("--")) return { option: options.find(({ long }) => long === name), isLast: true };
  const letters = [...name.slice(1)];
  const found = letters.map((letter) => options.find(({ short }) => short === `-${letter}`));
  // Switches may be written together. The first option with a value, or an unknown one, ends them.
  const at = found.findIndex((option) => option === undefined || option.required);
  return at === -1
    ? { option: found.at(-1), isLast: true }
    : { option: found[at], isLast: at === letters.length - 1 };
}

function switchOf({
  option,
  options,
  name,
  value,
}: {
  readonly option: Option;
  readonly options: readonly Option[];
  readonly name: string;
  readonly value: string;
}): string[] {
  const isOn = Object.hasOwn(BOOLEANS, value) ? BOOLEANS[value] : undefined;
  if (isOn === undefined)
    throw new UsageError(`${name}: ${JSON.stringify(value)} is not allowed; allowed: true, false`);
  if (isOn) return [name];
  const negative = name.replace(/^--/, "--no-");
  if (options.some(({ long }) => long === negative)) return [negative];
  const sentence = option.long == null ? undefined : OFF[option.long];
  if (sentence !== undefined) throw new UsageError(`${name}=${value}: ${sentence}`);
  return [];
}
