import { SCRIPT_DIRECTORY } from "../policy/reserved-paths.js";
import { requireThat } from "../refuse.js";
import { MAX_STRING_BYTES } from "../spec/exec-size.js";
import type { ArchiveEntry } from "./archive.js";

export const SCRIPT_PATH = `${SCRIPT_DIRECTORY}/run`;
/** Where a shell's arguments name the script's file. */
const SCRIPT_PLACE = "{0}";
/** It is held in memory, and in the daemon's content store for a moment. */
export const MAX_SCRIPT_BYTES = 8 * 1024 * 1024;

/** By its absolute path: a PATH of the step's own must not choose it. `-e` ends a script at the first command that fails, as other CI systems do. */
const SH: readonly string[] = ["/bin/sh", "-e", SCRIPT_PLACE];

/** Shells by name. */
const SHELLS: Readonly<Record<string, readonly string[]>> = {
  sh: SH,
  bash: ["bash", "-e", "-o", "pipefail", SCRIPT_PLACE],
};

export interface ScriptProcess {
  readonly command: readonly string[];
  /** What is to be at {@link SCRIPT_PATH}; undefined when no file is needed. */
  readonly script?: string | undefined;
}

/**
 * The process that runs a script.
 *
 * A `#!` line is honoured unless the step names a shell. CRLF line ends become LF: shells take the carriage return for a part of the last word.
 * A short script for `/bin/sh` is its argument, not a file: then a last command may replace the shell, and gets its signals.
 *
 * @throws ExecutorError `refused` for a script over {@link MAX_SCRIPT_BYTES}.
 */
export function composeScript(run: string, shell: readonly string[] | undefined): ScriptProcess {
  const script = run.replaceAll("\r\n", "\n");
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
 * A shell as people write it: a name, a command with the place of the script's file (`python3 -u {0}`), or the same as a list. A command is split
 * at blanks and nothing else; where a quote would be needed, the list says it.
 *
 * @returns undefined for what is none of them.
 */
export function parseShell(shell: string | readonly string[]): readonly string[] | undefined {
  if (typeof shell === "string" && Object.hasOwn(SHELLS, shell)) return SHELLS[shell];
  if (typeof shell === "string" && /["'\\$`]/.test(shell)) return undefined;
  const argv = typeof shell === "string" ? shell.split(/\s+/).filter((part) => part !== "") : shell;
  if (argv.length === 0 || argv[0] === "" || argv.some((argument) => argument.includes("\0")))
    return undefined;
  return argv.some((argument) => argument.includes(SCRIPT_PLACE)) ? argv : [...argv, SCRIPT_PLACE];
}

/** The script's file: whoever the step runs as may run it, and only root could change it. */
export function scriptEntries(
  script: string | undefined,
  owner: { readonly uid: number; readonly gid: number },
): ArchiveEntry[] {
  if (script === undefined) return [];
  return [
    { type: "directory", name: SCRIPT_DIRECTORY.slice(1), mode: 0o755, ...owner },
    {
      type: "file",
      name: SCRIPT_PATH.slice(1),
      contents: new TextEncoder().encode(script),
      mode: 0o755,
      ...owner,
    },
  ];
}
