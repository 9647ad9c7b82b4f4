import { basename } from "node:path";
import type { RuntimeOptions } from "@wfe-containerd/executor";
import { UsageError } from "./failure.js";

/** What a step calls its runtime, and what that is. */
export interface ChosenRuntime {
  readonly name: string;
  readonly options: RuntimeOptions;
}

/**
 * Reads docker's `--runtime`: `runc`; a shim by its type; else a program that takes runc's arguments.
 *
 * @returns undefined for runc, which needs no option.
 */
export function toRuntime(given: string | undefined): ChosenRuntime | undefined {
  if (given === undefined || ["", "runc", "io.containerd.runc.v2"].includes(given)) return undefined;
  if (/^[a-z0-9]+(\.[a-z0-9-]+)*\.v\d+$/.test(given) && given.length <= 63)
    return { name: given, options: { type: given } };
  const name = basename(given);
  if (/^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/.test(name) && (given === name || given.startsWith("/")))
    return { name, options: { binary: given } };
  throw new UsageError(
    `--runtime: ${JSON.stringify(given)} is not a runtime; allowed: runc; a program on the daemon's machine that takes runc's arguments, for example crun or /usr/bin/runsc; or a shim, for example io.containerd.runsc.v1`,
  );
}
