import { eraseDockerCredential } from "@wfe-containerd/client";
import type { Command } from "commander";
import { warnOfEnvironment } from "../registry-environment.js";

const EXAMPLE = `
Examples:
  wfe-containerd logout                          of docker.io
  wfe-containerd logout registry.example.com`;

export function defineLogout(command: Command): void {
  command
    .description("Log out of a registry, and remove the password where docker stores it.")
    .argument("[registry]", "host, or host:port, or a URL", "docker.io")
    .addHelpText("after", EXAMPLE)
    .action(async (registry: string) => {
      const isKnown = await eraseDockerCredential(registry);
      console.log(isKnown ? `logged out of ${registry}` : `not logged in at ${registry}`);
      warnOfEnvironment();
    });
}
