import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { TestDaemon } from "@wfe-containerd/test-infra/daemon";

const run = promisify(execFile);

/** Runs ctr against a test's daemon, in its client's namespace. @returns what ctr prints. */
export async function ctr({ daemon, client }: TestDaemon, ...args: string[]): Promise<string> {
  const { stdout } = await run("ctr", ["-a", daemon.socketPath, "-n", client.namespace, ...args]);
  return stdout;
}
