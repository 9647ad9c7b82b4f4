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
      ? "an init program was not found on the daemon's machine"
      : `the daemon at ${client.address} may be on another machine, where the executor cannot look for an init program`,
    "init: false; or the executor's option init (--init-path) with the path of a static tini, catatonit or docker-init on the daemon's machine; example: /usr/bin/tini-static",
  );
}

function isProgram(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
