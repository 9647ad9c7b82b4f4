import * as z from "zod";
import type { ExecutorErrorKind } from "../../error-kind.js";
import type { StepEndCause } from "../output/cause.js";
import { duration, integer } from "./field.js";

/**
 * After which ends a step may be tried again: causes of results, and kinds of errors. The others are left out
 * because the caller wanted the end (`aborted`, `closed`), because the next attempt would end alike, or
 * because a step does not end so (`container-ended`).
 */
export type RetryCause =
  | Exclude<StepEndCause, "aborted" | "container-ended">
  | Exclude<ExecutorErrorKind, "invalid-step" | "refused" | "invalid-argument" | "aborted" | "closed">;

const RETRY_CAUSES = [
  "exit",
  "signal",
  "timeout",
  "oom",
  "log-io-failed",
  "runtime-lost",
  "unknown",
  "daemon-unavailable",
  "pull-failed",
  "image-not-found",
  "command-not-found",
  "command-not-executable",
  "runtime",
  "io",
] as const satisfies readonly RetryCause[];

/**
 * Failures that may pass, and whose outcome is known. After `runtime-lost` and `unknown` the step may have
 * done its work.
 */
const DEFAULT_CAUSES: readonly RetryCause[] = [
  "exit",
  "signal",
  "timeout",
  "oom",
  "log-io-failed",
  "daemon-unavailable",
  "pull-failed",
  "runtime",
  "io",
];

/** Whether and when a step that failed is tried again. */
export interface RetryPolicy {
  /** How many attempts it may have, with the first one. */
  readonly attempts: number;
  /** The time between the first attempt and the second. */
  readonly delayMs: number;
  /** By how much each delay is longer than the one before. */
  readonly backoff: number;
  /** After which ends. */
  readonly on: readonly RetryCause[];
}

export const NO_RETRY: RetryPolicy = { attempts: 1, delayMs: 0, backoff: 1, on: [] };

const MAX_ATTEMPTS = 100;
const MAX_BACKOFF = 10;

/** The field `retry`. */
export const retry = z
  .strictObject({
    attempts: integer(1, MAX_ATTEMPTS).meta({ description: "How many attempts, with the first one." }),
    delay: duration()
      .meta({ description: "Time between an attempt and the next one. Default: 1s." })
      .default(1_000),
    backoff: z
      .number()
      .min(1)
      .max(MAX_BACKOFF)
      .default(1)
      .meta({ description: "The factor by which the delay grows each time, up to an hour. Default: 1." }),
    on: z
      .array(z.enum(RETRY_CAUSES))
      .min(1)
      .default([...DEFAULT_CAUSES])
      .meta({
        description:
          "Causes of results and kinds of errors after which to try again. Default: all but runtime-lost, unknown, image-not-found, command-not-found and command-not-executable.",
      }),
  })
  .transform(({ delay, ...policy }): RetryPolicy => ({ ...policy, delayMs: delay }));
