import { access, constants } from "node:fs/promises";
import type { AllowedStep } from "../core/plan/checked-step.js";
import { refuse } from "../core/refuse.js";
import type { Machine } from "./machine.js";

/** Where packages install init programs that need no library of the image. */
const KNOWN = [
  "/usr/bin/tini-static",
  "/usr/libexec/podman/catatonit",
  "/usr/bin/catatonit",
  "/usr/bin/docker-init",
  "/usr/libexec/docker/docker-init",
  "/sbin/docker-init",
];

/**
 * The path of the init program on the daemon's machine, for a step that wants one. If the operator configured
 * none, this machine is searched, if the daemon runs on it.
 *
 * @throws ExecutorError `refused` if no path is known.
 */
export async function findInit(
  { client, init: configured }: Machine,
  { init }: AllowedStep,
): Promise<string | undefined> {
  if (!init) return undefined;
  if (configured !== undefined) return configured;
  for (const path of client.isLocal ? KNOWN : []) {
    if (await isProgram(path)) return path;
  }
  return refuse(
    "init",
    client.isLocal
      ? "the daemon's machine has no init program in the usual places"
      : `the executor cannot see whether the machine of ${client.address} has an init program`,
    "init: false; or the executor's option init with the path of a static tini, catatonit or docker-init on that machine",
  );
}

function isProgram(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
