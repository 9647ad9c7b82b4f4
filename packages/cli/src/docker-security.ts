import { readFile } from "node:fs/promises";
import type { StepInput } from "@wfe-containerd/executor";
import { fileProblem, UsageError } from "./failure.js";

/**
 * Returns the fields that `--security-opt` sets.
 *
 * @throws UsageError for an unknown option, and for a profile that cannot be read.
 */
export async function toSecurity(options: readonly string[] = []): Promise<Partial<StepInput>> {
  const given: { seccomp?: never; apparmorProfile?: string; noNewPrivileges?: boolean } = {};
  for (const option of options) {
    // Docker also accepts a colon, its separator before it had the equals sign.
    const [, key, value] = /^([a-z-]+)(?:[=:](.*))?$/s.exec(option) ?? [];
    if (key === "seccomp" && value) Object.assign(given, { seccomp: await seccompProfile(value) });
    else if (key === "apparmor" && value) given.apparmorProfile = value;
    else if (key === "no-new-privileges" && (value === undefined || value === "true" || value === "false"))
      given.noNewPrivileges = value !== "false";
    else if (key === "label")
      throw new UsageError(
        `--security-opt: ${JSON.stringify(option)} is not allowed, because a step never gets SELinux labels; leave the option out`,
      );
    else if (key === "systempaths")
      throw new UsageError(
        "--security-opt: systempaths is not allowed, because paths in /proc and /sys are always masked; leave the option out, or use --privileged",
      );
    else
      throw new UsageError(
        `--security-opt: ${JSON.stringify(option)} is unknown; allowed: seccomp=unconfined, seccomp=FILE, apparmor=PROFILE, no-new-privileges[=false]`,
      );
  }
  return given;
}

async function seccompProfile(value: string): Promise<unknown> {
  if (value === "unconfined" || value === "default") return value;
  // Docker's name for its own default profile.
  if (value === "builtin") return "default";
  const contents = await readFile(value, "utf8").catch((cause: unknown) => {
    throw new UsageError(
      `--security-opt: cannot read the seccomp profile ${value}: ${fileProblem(cause)}; allowed: a file in the form of docker's profiles, for example seccomp=./profile.json`,
      { cause },
    );
  });
  try {
    return JSON.parse(contents);
  } catch (cause) {
    throw new UsageError(
      `--security-opt: the seccomp profile ${value} is not JSON; allowed: a file in the form of docker's profiles`,
      { cause },
    );
  }
}
