import { eraseDockerCredential } from "@wfe-containerd/client";
import type { Command } from "commander";
import { warnOfEnvironment } from "../registry-environment.js";

export function addLogoutCommand(program: Command): void {
  program
    .command("logout")
    .description("Forget a registry's password where docker keeps it.")
    .argument("[registry]", "host, with its port if it has one; a URL is taken too", "docker.io")
    .action(async (registry: string) => {
      const isKnown = await eraseDockerCredential(registry);
      console.log(isKnown ? `logged out of ${registry}` : `not logged in at ${registry}`);
      warnOfEnvironment();
    });
}
