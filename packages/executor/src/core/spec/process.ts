import { refuse } from "../refuse.js";

/** What an image's config says about its process, as its JSON has it. */
export interface ImageProcess {
  readonly Env?: readonly string[] | null | undefined;
  readonly Entrypoint?: readonly string[] | null | undefined;
  readonly Cmd?: readonly string[] | null | undefined;
  readonly WorkingDir?: string | null | undefined;
  readonly User?: string | null | undefined;
}

/** Used whenever neither the image nor the step sets PATH. */
export const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export interface EnvironmentSources {
  readonly image?: ImageProcess | undefined;
  /** Workflow data, as variables. */
  readonly data?: ReadonlyMap<string, string> | undefined;
  /** The step's own variables. */
  readonly step?: Readonly<Record<string, string>> | undefined;
  /** Becomes HOSTNAME, as docker has it. */
  readonly hostname?: string | undefined;
  /** With a terminal, TERM is set. */
  readonly terminal?: boolean | undefined;
}

/**
 * A process's environment, later over earlier: PATH's default and HOSTNAME, the image's, the step's own. The workflow's data is over none of
 * them: it adds variables, and changes none that the image's programs count on.
 *
 * HOME is not among them: runtimes take it from the container's passwd file, where nobody set it.
 *
 * @throws ExecutorError `refused` for a name that is empty or holds `=`, for NUL, and for data by the name of a variable that is set, unless
 * the step itself sets it; values are not shown.
 */
export function composeEnvironment(sources: EnvironmentSources): string[] {
  const { image, data = new Map<string, string>(), step = {}, hostname, terminal = false } = sources;
  const merged = new Map<string, string>([["PATH", DEFAULT_PATH]]);
  if (hostname !== undefined) merged.set("HOSTNAME", hostname);
  if (terminal) merged.set("TERM", "xterm");
  for (const entry of image?.Env ?? []) {
    const [name, value] = parseEntry(entry);
    merged.set(name, value);
  }
  for (const [name, value] of data) {
    if (merged.has(name) && !Object.hasOwn(step, name))
      refuse("data", `${name} is already set by the image or the system`, "another name, or the step's env");
    merged.set(name, value);
  }
  for (const [name, value] of Object.entries(step)) merged.set(name, value);
  return [...merged].map(([name, value]) => {
    if (name === "" || /[=\0]/.test(name))
      refuse("env", `${JSON.stringify(name)} is not a valid name`, "a name without = and NUL bytes");
    if (value.includes("\0"))
      refuse("env", `the value of ${name} has a NUL byte`, "a value without NUL bytes");
    return `${name}=${value}`;
  });
}

function parseEntry(entry: string): [string, string] {
  const at = entry.indexOf("=");
  if (at < 1 || entry.includes("\0")) {
    refuse(
      "image",
      `its config's Env holds ${JSON.stringify(entry.slice(0, 60))}`,
      "NAME=value, without NUL",
    );
  }
  return [entry.slice(0, at), entry.slice(at + 1)];
}

export interface ArgumentSources {
  readonly image?: ImageProcess | undefined;
  /** Replaces the image's entrypoint, and with it the image's own arguments. An empty list, or `[""]` as docker has it: no entrypoint. */
  readonly entrypoint?: readonly string[] | undefined;
  /** Replaces the image's arguments. */
  readonly args?: readonly string[] | undefined;
}

/**
 * A process's arguments by docker's rule: the entrypoint, then the given arguments or else the image's. A step's `run` and `command`
 * are entrypoints: nothing of the image's comes before them.
 *
 * An entrypoint `[""]` is none. The step's leaves out the image's arguments, as every entrypoint of a step does; the image's own does not.
 * Source: moby's daemon/create.go, mergeAndVerifyConfig.
 *
 * @throws ExecutorError `refused` when nothing is left to run, the program's name is empty, or an argument holds NUL.
 */
export function composeArgs({ image, entrypoint, args }: ArgumentSources): string[] {
  const imageArgs = entrypoint === undefined ? (image?.Cmd ?? []) : [];
  const program = entrypoint ?? image?.Entrypoint ?? [];
  const isReset = program.length === 1 && program[0] === "";
  const composed = [...(isReset ? [] : program), ...(args ?? imageArgs)];
  if (composed.length === 0) {
    refuse(
      "command",
      entrypoint === undefined
        ? "it is missing, and the image has no program of its own"
        : "it is empty and resets the image's program, and args is missing",
      'a program in run, command or args; example: command: ["/bin/ls", "-l"]',
    );
  }
  if (composed[0] === "")
    refuse("command", "the program's name is empty", 'a path, or a name in PATH; example: command: ["ls"]');
  if (composed.some((arg) => arg.includes("\0")))
    refuse("command", "an argument has a NUL byte", "arguments without NUL bytes");
  return composed;
}

/**
 * The working directory: the step's, else the image's, else `/`. The runtime makes it when it is missing.
 *
 * @throws ExecutorError `refused` when it is relative, holds `..` or NUL, or lies under `/proc`, where it could be a descriptor that
 * the runtime left open on the daemon's host (CVE-2024-21626).
 */
export function composeCwd(step: string | undefined, image?: ImageProcess): string {
  const fromImage = image?.WorkingDir ?? "";
  const cwd = step ?? (fromImage === "" ? "/" : fromImage);
  const field = step === undefined ? "image" : "working_dir";
  const parts = cwd.split("/").filter((part) => part !== "" && part !== ".");
  if (!cwd.startsWith("/") || parts.includes("..") || cwd.includes("\0") || parts[0] === "proc") {
    refuse(
      field,
      `${JSON.stringify(cwd)} cannot be a working directory`,
      "an absolute path without .., not under /proc",
    );
  }
  return `/${parts.join("/")}`;
}
