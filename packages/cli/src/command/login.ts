import { checkRegistryLogin, parseRegistryName, storeDockerCredential } from "@wfe-containerd/client";
import type { Command } from "commander";
import { answerFlags } from "../answer-flags.js";
import { UsageError } from "../failure.js";
import { ask, readSecret } from "../prompt.js";
import { warnOfEnvironment } from "../registry-environment.js";
import { addRegistryFlags, type RegistryFlags, registryOptions } from "../transfer.js";

interface LoginFlags extends RegistryFlags {
  readonly username?: string;
  readonly passwordStdin?: boolean;
}

const EXAMPLE = `
Examples:
  wfe-containerd login -u alice                                 at docker.io; it asks for the password
  wfe-containerd login -u alice --password-stdin registry.example.com < password.txt`;

const NO_PASSWORD =
  "other users of this machine would see the password in the list of processes; leave the flag out to be asked, or give --password-stdin";

export function defineLogin(command: Command): void {
  answerFlags(command, [{ flags: "-p, --password <password>", instead: () => NO_PASSWORD }]);
  command
    .description("Log in at a registry, and store the password where docker stores it.")
    .argument("[registry]", "host, or host:port, or a URL", "docker.io")
    .option("-u, --username <name>", "user name (default: ask on the terminal)")
    .option("--password-stdin", "read the password from standard input instead of the terminal")
    .addHelpText("after", EXAMPLE);
  addRegistryFlags(command).action(async (registry: string, flags: LoginFlags) => {
    const host = parseRegistryName(registry);
    if (flags.passwordStdin === true && flags.username === undefined)
      throw new UsageError("--password-stdin needs --username, for example -u NAME");
    const username = flags.username ?? (await ask("Username: ", "--username NAME"));
    if (username === "") throw new UsageError("the user name is empty; give a name, for example -u NAME");
    if (username.includes(":"))
      throw new UsageError(
        "the user name contains a colon; a registry would read the text after it as the password",
      );
    const password =
      flags.passwordStdin === true
        ? await readSecret()
        : await ask("Password: ", "--password-stdin, with the password as input", { hidden: true });
    if (password === "")
      throw new UsageError(
        "the password is empty; give a password on the terminal, or as input with --password-stdin",
      );
    const credential = { username, password };
    await checkRegistryLogin(host, credential, registryOptions(flags));
    await storeDockerCredential(host, credential);
    console.log(`logged in at ${host} as ${username}`);
    warnOfEnvironment();
  });
}
