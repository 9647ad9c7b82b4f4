import { closest } from "fastest-levenshtein";
import { refuse } from "../refuse.js";
import { type Logger, logTopics } from "./log.js";

const TOPICS = ["rpc", "registry", "step"] as const;
export type DebugTopic = (typeof TOPICS)[number];

/**
 * Reads the environment variable WFE_DEBUG: what to print on standard error.
 *
 * @throws ContainerdError `invalid-argument`.
 */
export function debugTopics(value: string | undefined): readonly DebugTopic[] {
  const words = (value ?? "")
    .split(",")
    .map((word) => word.trim())
    .filter((word) => word !== "");
  if (words.length === 0 || (words.length === 1 && words[0] === "0")) return [];
  if (words.length === 1 && words[0] === "1") return TOPICS;
  const unknown = words.find((word) => !(TOPICS as readonly string[]).includes(word));
  if (unknown !== undefined) {
    refuse(
      `WFE_DEBUG: unknown topic ${JSON.stringify(unknown.slice(0, 100))}; did you mean ${closest(unknown, [...TOPICS])}?`,
      `1 for everything, or a list of ${TOPICS.join(", ")}, for example WFE_DEBUG=rpc,step`,
    );
  }
  return words as DebugTopic[];
}

/** Prints a line with the time on standard error. */
export const DEBUG_LOGGER: Logger = { debug: print, info: print, warn: print };

function print(line: string): void {
  // Unlike process.stderr.write, it ignores a closed pipe.
  console.error(`wfe-containerd ${new Date().toISOString().slice(11, 23)} ${line}`);
}

let isPrinting = false;

/**
 * Prints what clients do, as WFE_DEBUG says, from the first call on.
 *
 * @throws ContainerdError `invalid-argument` for an invalid WFE_DEBUG.
 */
export function printDebugLines(): void {
  const value = process.env["WFE_DEBUG"];
  if (isPrinting || value === undefined) return;
  const topics = debugTopics(value).filter((topic) => topic !== "step");
  if (topics.length === 0) return;
  isPrinting = true;
  logTopics(DEBUG_LOGGER, topics);
}
