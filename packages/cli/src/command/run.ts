import { UNRESTRICTED_POLICY } from "@wfe-containerd/executor";
import { type Command, Option } from "commander";
import { connect } from "../connection.js";
import { addDockerFlags, type DockerFlags, toStep } from "../docker-flags.js";
import { exitCodeOf } from "../exit-code.js";
import { inFlags } from "../flag-names.js";
import { follow } from "../follow.js";
import { addMachineFlags, createExecutorOn, type MachineFlags } from "../machine-flags.js";
import { parseSecret, readSecrets, toRequests } from "../secret.js";
import { addRegistryFlags, collect, type RegistryFlags, registryOptions } from "../transfer.js";

interface RunFlags extends DockerFlags, MachineFlags, RegistryFlags {
  readonly secret?: readonly string[];
  readonly io: "file" | "fifo";
}

export function addRunCommand(program: Command): void {
  const command = program
    .command("run")
    .description("Run a command in a new container; its output, its exit code, and nothing left.")
    .argument("<image>")
    .argument("[command...]", "instead of the image's own");
  addRegistryFlags(addMachineFlags(addDockerFlags(command)))
    .addOption(
      new Option("--io <mode>", "how output comes from the container")
        .choices(["file", "fifo"])
        .default("file"),
    )
    .option(
      "--secret <id=name,src=file>",
      "a file that only the command can read: /run/secrets/NAME; or id=NAME,env=VARIABLE; target=PATH, mask=false",
      collect,
    )
    .option("--rm", "taken for docker's sake: nothing is ever left")
    .passThroughOptions()
    .action(async (image: string, args: readonly string[], flags: RunFlags, self: Command) => {
      process.exitCode = await run(image, args, flags, self);
    });
}

async function run(
  image: string,
  args: readonly string[],
  flags: RunFlags,
  command: Command,
): Promise<number> {
  const given = (flags.secret ?? []).map(parseSecret);
  const step = { ...(await toStep(image, args, flags)), secrets: toRequests(given) };
  const secrets = await readSecrets(given);
  await using client = await connect(command);
  // What a person types is the operator's own word.
  const options = { client, ioMode: flags.io, policy: UNRESTRICTED_POLICY, pull: registryOptions(flags) };
  await using executor = createExecutorOn(flags, options, command);
  const result = await follow(executor.start(step, { secrets })).catch((reason: unknown) => {
    throw inFlags(reason, command);
  });
  return exitCodeOf(result);
}
