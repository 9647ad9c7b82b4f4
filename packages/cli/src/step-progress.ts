import type { StepInput, StepResult } from "@wfe-containerd/executor";
import { CAUSE_TEXTS } from "./exit-code.js";
import { printableLine } from "./printable.js";
import { widthMeter } from "./text-width.js";

/** The line before a step of a file: `==> [2/3] test (alpine:3.20)`. */
export function headingOf(
  { name, image }: Pick<StepInput, "name" | "image">,
  at: number,
  count: number,
): string {
  return printableLine(`==> [${at + 1}/${count}] ${name} (${image})`);
}

/** How a step ended that was not the only one to run: `==> step test: exit code 4`. */
export function endOf(name: string, { reason }: Pick<StepResult, "reason">): string {
  return printableLine(`==> step ${name}: ${reason}`);
}

/**
 * What `--prefix` puts before each line of the output of steps, in the order of their names. All are as wide
 * as the longest, so that the output lines up.
 */
export async function prefixesOf(names: readonly string[]): Promise<string[]> {
  const shown = names.map(printableLine);
  const widthOf = await widthMeter(shown);
  const width = Math.max(...shown.map(widthOf));
  return shown.map((name) => `${name}${" ".repeat(width - widthOf(name))} | `);
}

/** What became of a step that has no result. */
const NO_RESULT = {
  "not-run": "could not be run",
  "no-result": "was started, but has no result",
} as const;

const END_TEXTS: Readonly<Partial<Record<LastEnd["cause"], string>>> = { ...CAUSE_TEXTS, ...NO_RESULT };

/** How a step ended that was the last one to be started. */
export interface LastEnd extends Pick<StepResult, "name" | "exitCode"> {
  readonly cause: StepResult["cause"] | keyof typeof NO_RESULT;
}

/** The last line of a file that was not run to its end: which step ended it, why, and what did not run. */
export function summaryOf({ name, cause, exitCode }: LastEnd, left: readonly string[]): string {
  const word = END_TEXTS[cause] ?? "failed";
  const code = exitCode === null ? "" : ` (exit code ${exitCode})`;
  const rest = left.length === 0 ? "it was the last one" : `not run: ${left.join(", ")}`;
  return printableLine(`==> step ${name}: ${word}${code}; ${rest}`);
}

/** The last line of a file whose container could not be made. */
export function noneRun(names: readonly string[]): string {
  return printableLine(`==> the container could not be made; not run: ${names.join(", ")}`);
}
