import { ExecutorError } from "./error.js";

/** Plain words for what may be wrong with a file system or with the limits of this process. */
const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full (ENOSPC)",
  EDQUOT: "the disk quota is used up (EDQUOT)",
  EMFILE:
    "this process has too many open files (EMFILE); allowed: a higher limit, for example ulimit -n 65536",
  ENFILE: "the machine has too many open files (ENFILE)",
  EROFS: "the file system is read-only (EROFS)",
};

/** An error of kind `io`. `what` names the directory or file. */
export function ioError(what: string, cause: unknown): ExecutorError {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const reason = REASONS[code] ?? (cause instanceof Error ? cause.message : String(cause));
  return new ExecutorError(`${what}: ${reason}`, { kind: "io", cause });
}
