/**
 * Why an output line was not taken, or what became of it.
 *
 * - `invalid-line`: it begins as an output line does, but has no `=`, no `]` at its end, or an invalid key.
 * - `line-too-long`, `too-many`, `too-large`: it is over one of the limits.
 * - `nul`: its value has a NUL byte, which no environment variable can hold.
 * - `same-variable`: it was taken, but another output becomes the same variable of the next steps. The later one wins there.
 * - `more`: there were further issues, which are not listed.
 */
export type OutputIssueReason =
  | "invalid-line"
  | "line-too-long"
  | "too-many"
  | "too-large"
  | "nul"
  | "same-variable"
  | "more";

/** Something that is wrong with an output line of the step. It never fails the step. */
export interface OutputIssue {
  readonly reason: OutputIssueReason;
  /** The output's key, where the line has a valid one. */
  readonly key?: string | undefined;
  /** For people; without the value. */
  readonly message: string;
}

export const OUTPUT_LINE_FORMAT =
  "allowed: ##wfe[output key=value], with a key of up to 128 letters, digits, _ and -, a letter or _ first; example: ##wfe[output version=1.2.3]";

/** A step may print millions of bad lines; the first ones tell enough. */
const MAX_ISSUES = 100;

export interface OutputIssueLog {
  readonly all: readonly OutputIssue[];
  add(issue: OutputIssue): void;
}

/** Holds each issue once for a key and a reason, and a bounded number of them. */
export function createIssueLog(onIssue: ((issue: OutputIssue) => void) | undefined): OutputIssueLog {
  const all: OutputIssue[] = [];
  const seen = new Set<string>();
  return {
    all,
    add(issue) {
      const id = `${issue.reason} ${issue.key ?? issue.message}`;
      if (all.length > MAX_ISSUES || seen.has(id)) return;
      const kept: OutputIssue =
        all.length < MAX_ISSUES
          ? issue
          : {
              reason: "more",
              message: `further output lines have problems; the first ${MAX_ISSUES} are listed`,
            };
      seen.add(id);
      all.push(kept);
      onIssue?.(kept);
    },
  };
}
