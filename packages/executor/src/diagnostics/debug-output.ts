import { isContainerdError } from "@wfe-containerd/client";
import { DEBUG_LOGGER, debugTopics, printDebugLines } from "@wfe-containerd/client/internal";
import { ExecutorError } from "../error.js";
import { logStepsTo } from "./log.js";

let isPrinting = false;

/**
 * Prints what executors and clients do, as WFE_DEBUG says, from the first call on.
 *
 * @throws ExecutorError `invalid-argument` for an invalid WFE_DEBUG.
 */
export function printStepLines(): void {
  const value = process.env["WFE_DEBUG"];
  if (value === undefined) return;
  try {
    printDebugLines();
    if (isPrinting || !debugTopics(value).includes("step")) return;
  } catch (cause) {
    if (!isContainerdError(cause)) throw cause;
    throw new ExecutorError(cause.message, { kind: "invalid-argument", cause });
  }
  isPrinting = true;
  logStepsTo(DEBUG_LOGGER);
}
