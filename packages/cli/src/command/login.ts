import { checkRegistryLogin, storeDockerCredential } from "@wfe-containerd/client";
import type { Command } from "commander";
import { UsageError } from "../failure.js";
import { ask, readSecret } from "../prompt.js";
import { addRegistryFlags, type RegistryFlags, registryOptions } from "../transfer.js";

interface LoginFlags extends RegistryFlags {
  readonly username?: string;
  readonly passwordStdin?: boolean;
}

/** There is no flag for the password itself: whoever may list processes would see it. */
export function addLoginCommand(program: Command): void {
  const command = program
    .command("login")
    .description("Keep a registry's password where docker keeps it, once the registry has taken it.")
    .argument("[registry]", "host, and port if need be", "docker.io")
    .option("-u, --username <name>", "asked for when it is not given")
    .option("--password-stdin", "read the password from standard input, not from the terminal");
  addRegistryFlags(command).action(async (registry: string, flags: LoginFlags) => {
    if (flags.passwordStdin === true && flags.username === undefined)
      throw new UsageError("--password-stdin needs --username");
    const username = flags.username ?? (await ask("Username: "));
    const password =
      flags.passwordStdin === true ? await readSecret() : await ask("Password: ", { hidden: true });
    if (username === "" || password === "") throw new UsageError("a user name and a password are needed");
    const credential = { username, password };
    await checkRegistryLogin(registry, credential, registryOptions(flags));
    await storeDockerCredential(registry, credential);
    console.log(`logged in at ${registry} as ${username}`);
  });
}
