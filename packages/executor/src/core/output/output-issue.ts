/**
 * Why an output line was not taken, or what happened to it.
 *
 * - `invalid-line`: it begins like an output line, but has no `=`, no `]` at its end, or an invalid key.
 * - `line-too-long`, `too-many`, `too-large`: it is over one of the limits.
 * - `nul`: its value has a NUL byte, which no environment variable can contain.
 * - `same-variable`: it was taken, but another output becomes the same environment variable of later steps.
 *   The later output wins there.
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

/** A problem with an output line of the step. It never fails the step. */
export interface OutputIssue {
  readonly reason: OutputIssueReason;
  /** Key of the output, if the line has a valid one. */
  readonly key?: string | undefined;
  /** For people. It never shows the value. */
  readonly message: string;
}

export const OUTPUT_LINE_FORMAT =
  "allowed: ##wfe[output key=value], where key is up to 128 letters, digits, _ and -, and begins with a letter or _; example: ##wfe[output version=1.2.3]";

/** A step may print millions of bad lines; the first ones say enough. */
const MAX_ISSUES = 100;

/** The issues of a step's output lines. */
export interface OutputIssueLog {
  readonly all: readonly OutputIssue[];
  add(issue: OutputIssue): void;
}

/**
 * Keeps each issue once per key and reason, and a bounded number of them.
 *
 * @param onIssue called with each issue that is kept
 */
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
