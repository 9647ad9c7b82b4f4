import { cpus, release } from "node:os";
import type { Client } from "@wfe-containerd/client";
import type { DaemonFacts } from "../core/daemon.js";

/**
 * What plans depend on, of the machine that the daemon runs on. Its platform is asked from the daemon; kernel and cgroups only a
 * daemon on our own machine lets us see, and where they are unknown a plan assumes the least.
 */
export async function describeDaemon(client: Client): Promise<DaemonFacts> {
  const platform = await client.introspection.daemonPlatform();
  if (!client.isLocal || process.platform !== "linux") return { platform };
  return { platform, kernelVersion: release(), cpuCount: cpus().length };
}
