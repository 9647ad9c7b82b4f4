import { refuse } from "../refuse.js";

/** The parts of an image's config that describe its process, named as in its JSON. */
export interface ImageProcess {
  readonly Env?: readonly string[] | null | undefined;
  readonly Entrypoint?: readonly string[] | null | undefined;
  readonly Cmd?: readonly string[] | null | undefined;
  readonly WorkingDir?: string | null | undefined;
  readonly User?: string | null | undefined;
}

/** Used if neither the image nor the step sets PATH. */
export const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Where the variables of a process come from. */
export interface EnvironmentSources {
  readonly image?: ImageProcess | undefined;
  /** Workflow data, as variables. */
  readonly data?: ReadonlyMap<string, string> | undefined;
  /** The step's own variables. */
  readonly step?: Readonly<Record<string, string>> | undefined;
  /** Sets HOSTNAME, as docker does. */
  readonly hostname?: string | undefined;
  /** Sets TERM, for a process with a terminal. */
  readonly terminal?: boolean | undefined;
}

/**
 * Returns a process's environment, as `NAME=value`. Later sources replace earlier ones: the default PATH and
 * HOSTNAME, the image's variables, the step's own. Workflow data only adds variables. It must not change one
 * that the image's programs rely on.
 *
 * HOME is not set here. If nobody sets it, runtimes take it from the container's passwd file.
 *
 * @throws ExecutorError `refused` for an empty name, a name with `=`, a NUL byte, and for workflow data with
 * the name of a variable that is already set, unless the step itself sets it. Values are not shown.
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
      refuse(
        "data",
        `${name} is already set by the image or the system`,
        "another name; or set the variable in the step's env",
      );
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
      `Env in the image's config contains ${JSON.stringify(entry.slice(0, 60))}`,
      "NAME=value, without NUL bytes",
    );
  }
  return [entry.slice(0, at), entry.slice(at + 1)];
}

/** Where the arguments of a process come from. */
export interface ArgumentSources {
  readonly image?: ImageProcess | undefined;
  /**
   * Replaces the image's entrypoint, and drops the image's arguments. An empty list, or `[""]` as in docker,
   * means no entrypoint.
   */
  readonly entrypoint?: readonly string[] | undefined;
  /** Replaces the image's arguments. */
  readonly args?: readonly string[] | undefined;
}

/**
 * Returns a process's arguments by docker's rule: the entrypoint, then the given arguments or else the
 * image's. A step's `run` and `command` are entrypoints, so nothing of the image's comes before them.
 *
 * An entrypoint `[""]` means no entrypoint. In a step it also drops the image's arguments, like every
 * entrypoint of a step. In an image it does not. Source: moby's daemon/create.go, mergeAndVerifyConfig.
 *
 * @throws ExecutorError `refused` if nothing is left to run, the program's name is empty, or an argument has
 * a NUL byte.
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
        ? "is missing, and the image does not set a program"
        : "is empty, which removes the image's program, and args is missing",
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
 * Returns the working directory: the step's, else the image's, else `/`. The runtime makes it if it is
 * missing.
 *
 * @throws ExecutorError `refused` for a relative path, a path with `..` or NUL, and a path under `/proc`.
 * Such a path could be a file descriptor that the runtime left open on the daemon's machine (CVE-2024-21626).
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
      "an absolute path without .., not in /proc; example: /work",
    );
  }
  return `/${parts.join("/")}`;
}
