import { checkRegistryLogin, parseRegistryName, storeDockerCredential } from "@wfe-containerd/client";
import type { Command } from "commander";
import { UsageError } from "../failure.js";
import { ask, readSecret } from "../prompt.js";
import { warnOfEnvironment } from "../registry-environment.js";
import { addRegistryFlags, type RegistryFlags, registryOptions } from "../transfer.js";

interface LoginFlags extends RegistryFlags {
  readonly username?: string;
  readonly passwordStdin?: boolean;
}

/** There is no flag for the password itself: every user who can list processes would see it. */
export function addLoginCommand(program: Command): void {
  const command = program
    .command("login")
    .description("Keep a registry's password where docker keeps it, once the registry has taken it.")
    .argument("[registry]", "host, with its port if it has one; a URL is taken too", "docker.io")
    .option("-u, --username <name>", "asked for on a terminal when it is not given")
    .option("--password-stdin", "read the password from standard input instead of the terminal");
  addRegistryFlags(command).action(async (registry: string, flags: LoginFlags) => {
    const host = parseRegistryName(registry);
    if (flags.passwordStdin === true && flags.username === undefined)
      throw new UsageError("--password-stdin needs --username; for example -u NAME");
    const username = flags.username ?? (await ask("Username: ", "--username NAME"));
    if (username === "") throw new UsageError("the user name is empty; give one, for example -u NAME");
    if (username.includes(":"))
      throw new UsageError("the user name has a colon in it; a registry reads what follows as the password");
    const password =
      flags.passwordStdin === true
        ? await readSecret()
        : await ask("Password: ", "--password-stdin, with the password as input", { hidden: true });
    if (password === "") throw new UsageError("the password is empty; give one");
    const credential = { username, password };
    await checkRegistryLogin(host, credential, registryOptions(flags));
    await storeDockerCredential(host, credential);
    console.log(`logged in at ${host} as ${username}`);
    warnOfEnvironment();
  });
}
