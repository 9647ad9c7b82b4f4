import {
  createExecutor,
  ExecutorError,
  isExecutorError,
  UNRESTRICTED_POLICY,
} from "@wfe-containerd/executor";
import { type Command, Option } from "commander";
import { connect } from "../connection.js";
import { addDockerFlags, type DockerFlags, flagOf, toStep } from "../docker-flags.js";
import { exitCodeOf } from "../exit-code.js";
import { follow } from "../follow.js";
import { parseSecret, readSecrets, toRequests } from "../secret.js";
import { addRegistryFlags, collect, type RegistryFlags, registryOptions } from "../transfer.js";

interface RunFlags extends DockerFlags, RegistryFlags {
  readonly secret?: readonly string[];
  readonly io: "file" | "fifo";
}

export function addRunCommand(program: Command): void {
  const command = program
    .command("run")
    .description("Run a command in a new container; its output, its exit code, and nothing left.")
    .argument("<image>")
    .argument("[command...]", "instead of the image's own");
  addRegistryFlags(addDockerFlags(command))
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
  await using executor = createExecutor({
    client,
    ioMode: flags.io,
    policy: UNRESTRICTED_POLICY,
    pull: registryOptions(flags),
  });
  const result = await follow(executor.start(step, { secrets })).catch((reason: unknown) => {
    throw inFlags(reason, command);
  });
  return exitCodeOf(result);
}

/** Whoever typed flags is told of flags. */
function inFlags(reason: unknown, command: Command): unknown {
  if (!isExecutorError(reason) || reason.issues.length === 0) return reason;
  const { kind } = reason;
  const issues = reason.issues.map((issue) => ({ ...issue, field: flagOf(issue.field, command) }));
  const lines = issues.map(
    ({ field, message, allowed }) =>
      `${field}: ${message}${allowed === undefined ? "" : `; allowed: ${allowed}`}`,
  );
  return new ExecutorError(lines.join("; "), { kind, issues, cause: reason });
}
