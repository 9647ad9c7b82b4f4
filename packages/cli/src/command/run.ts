import { writeFile } from "node:fs/promises";
import { type Client, formatPlatform, normalizePlatform } from "@wfe-containerd/client";
import { type StepHandle, UNRESTRICTED_POLICY } from "@wfe-containerd/executor";
import { type Command, Option } from "commander";
import { closeAtEnd } from "../close-executor.js";
import { connect } from "../connection.js";
import { addDockerFlags, type DockerFlags } from "../docker-flags.js";
import { toStep } from "../docker-step.js";
import { exitCodeAfter, exitCodeOf, isFromSignal, reportEnd } from "../exit-code.js";
import { fileProblem, UsageError } from "../failure.js";
import { inFlags } from "../flag-names.js";
import { follow } from "../follow.js";
import { addMachineFlags, createExecutorOn, type MachineFlags } from "../machine-flags.js";
import { parseSecret, readSecrets, toRequests } from "../secret.js";
import { catchStopSignals, codeOfSignal } from "../stop-signals.js";
import { addRegistryFlags, collect, type RegistryFlags, registryOptions } from "../transfer.js";

interface RunFlags extends DockerFlags, MachineFlags, RegistryFlags {
  readonly secret?: readonly string[];
  readonly io: "file" | "fifo";
}

const EXAMPLE = `
Examples:
  wfe-containerd run alpine:3.20 echo hello
  wfe-containerd run -v ./src:/src -w /src -u "$(id -u)" -m 512m node:22 npm test

The command runs as user 65534 and without a network, unless you give --user and --network.
The exit code is the command's own. 125, 126 and 127 mean the same as in docker. 124: --timeout ended the command.`;

export function defineRun(command: Command): void {
  command
    .description("Run a command in a new container, pass its output on, and remove the container.")
    .argument("<image>")
    .argument("[command...]", "command to run instead of the image's own");
  addRegistryFlags(addMachineFlags(addDockerFlags(command)))
    .optionsGroup("Other:")
    .addOption(
      new Option("--io <mode>", "how output is read from the container")
        .choices(["file", "fifo"])
        .default("file"),
    )
    .addOption(
      new Option(
        "--secret <id=name,src=file>",
        "a file that only the command can read: /run/secrets/NAME; or id=NAME,env=VARIABLE; target=PATH, mask=false",
      )
        .argParser(collect)
        .helpGroup("Files:"),
    )
    .option("--rm", "no effect, as the container is always removed; accepted because docker has it")
    .passThroughOptions()
    .addHelpText("after", EXAMPLE)
    .action(async (image: string, args: readonly string[], flags: RunFlags, self: Command) => {
      process.exitCode = await run(image, args, flags, self);
    });
}

/** An image runs on the daemon's platform; other platforms are not emulated. */
async function checkPlatform(client: Client, given: string): Promise<void> {
  const own = normalizePlatform(await client.introspection.daemonPlatform());
  const [os = "", architecture] = given.split("/");
  // As in docker, the operating system or the architecture may be given alone.
  if (architecture === undefined && os === own.os) return;
  const wanted = normalizePlatform(
    architecture === undefined ? { os: own.os, architecture: os } : { os, architecture },
  );
  if (wanted.os === own.os && wanted.architecture === own.architecture) return;
  throw new UsageError(
    `--platform: the daemon's machine cannot run ${given}; allowed: ${formatPlatform(own)}, or leave it out`,
  );
}

/** As in docker, an existing file is not overwritten: the step is released, and this is an error. */
async function writeId(file: string, handle: StepHandle): Promise<void> {
  await writeFile(file, handle.id, { flag: "wx" }).catch(async (cause: NodeJS.ErrnoException) => {
    await handle[Symbol.asyncDispose]();
    const problem =
      cause.code === "EEXIST" ? "already exists; remove it" : `cannot be written: ${fileProblem(cause)}`;
    throw new UsageError(`--cidfile: ${file} ${problem}`, { cause });
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
  using signals = catchStopSignals();
  await using client = await connect(command);
  const options = { client, ioMode: flags.io, policy: UNRESTRICTED_POLICY, pull: registryOptions(flags) };
  const executor = createExecutorOn(flags, options, command);
  await using _ = closeAtEnd(executor);
  try {
    if (flags.platform !== undefined) await checkPlatform(client, flags.platform);
    const handle = executor.start(step, { secrets, signal: signals.stop });
    if (flags.cidfile !== undefined) await writeId(flags.cidfile, handle);
    const result = await follow(handle, { signals, output: true, progress: flags.quiet !== true });
    reportEnd(result, { stopSignal: flags.stopSignal, wasKilled: signals.kill.aborted });
    const code = exitCodeOf(result);
    return signals.received === undefined
      ? code
      : exitCodeAfter(signals.received, code, signals.kill.aborted);
  } catch (reason) {
    if (signals.received !== undefined && isFromSignal(reason)) return codeOfSignal(signals.received);
    throw inFlags(reason, command);
  }
}
