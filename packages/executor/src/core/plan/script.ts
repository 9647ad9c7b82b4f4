import { SCRIPT_DIRECTORY } from "../policy/reserved-paths.js";
import { requireThat } from "../refuse.js";
import { MAX_STRING_BYTES } from "../spec/exec-size.js";
import type { ArchiveEntry } from "./archive.js";

/** Path of the script's file in the container. */
export const SCRIPT_PATH = `${SCRIPT_DIRECTORY}/run`;
/** Stands for the script's file in a shell's arguments. */
const SCRIPT_PLACE = "{0}";
/** The longest script, in bytes. It is held in memory, and for a moment in the daemon's content store. */
export const MAX_SCRIPT_BYTES = 8 * 1024 * 1024;

/**
 * An absolute path, so that the step's PATH cannot choose the shell. `-e` ends a script at the first command
 * that fails, as other CI systems do.
 */
const SH: readonly string[] = ["/bin/sh", "-e", SCRIPT_PLACE];

const SHELLS: Readonly<Record<string, readonly string[]>> = {
  sh: SH,
  bash: ["bash", "-e", "-o", "pipefail", SCRIPT_PLACE],
};

export interface ScriptProcess {
  readonly command: readonly string[];
  /** Contents of the file at {@link SCRIPT_PATH}; undefined if no file is needed. */
  readonly script?: string | undefined;
}

/**
 * Returns the process that runs a script.
 *
 * A `#!` line is used unless the step names a shell. CRLF line ends become LF and a byte order mark is
 * removed, because shells take either as part of a word. A short script for `/bin/sh` is passed as an
 * argument, not as a file. Then its last command may replace the shell, and gets the signals.
 *
 * @throws ExecutorError `refused` for a script over {@link MAX_SCRIPT_BYTES}.
 */
export function composeScript(run: string, shell: readonly string[] | undefined): ScriptProcess {
  const script = run.replace(/^\uFEFF/, "").replaceAll("\r\n", "\n");
  const bytes = new TextEncoder().encode(script).byteLength;
  requireThat(
    bytes <= MAX_SCRIPT_BYTES,
    "run",
    `the script has ${bytes} bytes`,
    `up to ${MAX_SCRIPT_BYTES} bytes`,
  );
  if (shell === undefined && script.startsWith("#!")) return { command: [SCRIPT_PATH], script };
  const argv = shell ?? SH;
  if (argv === SH && bytes < MAX_STRING_BYTES) return { command: ["/bin/sh", "-e", "-c", script] };
  return { command: argv.map((argument) => argument.replaceAll(SCRIPT_PLACE, SCRIPT_PATH)), script };
}

/**
 * Reads a shell: a name (`bash`), a command in which `{0}` stands for the script's file (`python3 -u {0}`),
 * or the same as a list. A command is split only at blanks; if an argument needs a quote, use a list.
 *
 * @returns the arguments, with `{0}` added at the end if it is missing; undefined for anything else
 */
export function parseShell(shell: string | readonly string[]): readonly string[] | undefined {
  if (typeof shell === "string" && Object.hasOwn(SHELLS, shell)) return SHELLS[shell];
  if (typeof shell === "string" && /["'\\$`]/.test(shell)) return undefined;
  const argv = typeof shell === "string" ? shell.split(/\s+/).filter((part) => part !== "") : shell;
  if (argv.length === 0 || argv[0] === "" || argv.some((argument) => argument.includes("\0")))
    return undefined;
  return argv.some((argument) => argument.includes(SCRIPT_PLACE)) ? argv : [...argv, SCRIPT_PLACE];
}

/**
 * Returns the script's file and its directory. Every user of the step may run it; only root could change it.
 */
export function scriptEntries(
  script: string | undefined,
  owner: { readonly uid: number; readonly gid: number },
  path: string = SCRIPT_PATH,
): ArchiveEntry[] {
  if (script === undefined) return [];
  return [
    { type: "directory", name: SCRIPT_DIRECTORY.slice(1), mode: 0o755, ...owner },
    {
      type: "file",
      name: path.slice(1),
      contents: new TextEncoder().encode(script),
      mode: 0o755,
      ...owner,
    },
  ];
}
