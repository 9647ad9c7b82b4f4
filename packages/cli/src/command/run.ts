import { type Client, formatPlatform, normalizePlatform } from "@wfe-containerd/client";
import { UNRESTRICTED_POLICY } from "@wfe-containerd/executor";
import { type Command, Option } from "commander";
import { writeId } from "../cidfile.js";
import { closeAtEnd } from "../close-executor.js";
import { connect } from "../connection.js";
import { type DetachFlags, detach, refuseWithDetach } from "../detach-step.js";
import { addDockerFlags, type DockerFlags } from "../docker-flags.js";
import { toStep } from "../docker-step.js";
import { exitCodeOf, exitCodeWith, isFromSignal, reportEnd } from "../exit-code.js";
import { UsageError } from "../failure.js";
import { inFlags } from "../flag-names.js";
import { followUnlessLeft, tellLeft } from "../leave-step.js";
import { addMachineFlags, createExecutorOn, type MachineFlags } from "../machine-flags.js";
import { toRuntime } from "../runtime-flag.js";
import { parseSecret, readSecrets, toRequests } from "../secret.js";
import { takeName } from "../step-name.js";
import { catchStopSignals, codeOfSignal } from "../stop-signals.js";
import { openStreams } from "../terminal.js";
import { addRegistryFlags, collect, type RegistryFlags, registryOptions } from "../transfer.js";

interface RunFlags extends DockerFlags, MachineFlags, RegistryFlags, DetachFlags {
  readonly detach?: boolean;
  readonly detachKeys?: string;
  readonly secret?: readonly string[];
}

const EXAMPLE = `
Examples:
  wfe-containerd run alpine:3.20 echo hello
  wfe-containerd run -v ./src:/src -w /src -u "$(id -u)" -m 512m node:22 npm test
  wfe-containerd run -it alpine:3.20 sh
  echo hello | wfe-containerd run -i alpine:3.20 cat
  wfe-containerd run -d --name server alpine:3.20 sleep 600    then: logs, exec, stop, rm

The command runs as user 65534 and without a network, unless you give --user and --network.
The exit code is the command's own. 125, 126 and 127 mean the same as in docker. 124: --timeout ended the command.`;

export function defineRun(command: Command): void {
  command
    .description("Run a command in a new container, pass its output on, and remove the container.")
    .argument("<image>")
    .argument("[command...]", "command to run instead of the image's own");
  command
    .optionsGroup("Process:")
    .option("-i, --interactive", "pass standard input on to the command, to its end")
    .option("-t, --tty", "give the command a terminal")
    .option("--detach-keys <keys>", "with -it, keys that leave the command, which goes on: ctrl-p,ctrl-q")
    .option("-d, --detach", "print the id once the command runs, and leave it; it stays until rm");
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
    .option(
      "--rm",
      "with -d: stop, wait, attach or logs -f removes the step when it ends, else gc; without -d it is always removed",
    )
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

async function run(
  image: string,
  args: readonly string[],
  flags: RunFlags,
  command: Command,
): Promise<number> {
  const given = (flags.secret ?? []).map(parseSecret);
  const step = { ...(await toStep(image, args, flags)), secrets: toRequests(given) };
  const secrets = await readSecrets(given);
  if (flags.detach === true) refuseWithDetach(flags);
  using signals = catchStopSignals();
  await using client = await connect(command);
  const runtime = toRuntime(flags.runtime);
  const options = {
    client,
    ioMode: flags.io,
    policy: UNRESTRICTED_POLICY,
    pull: registryOptions(flags),
    ...(runtime && { runtimes: { [runtime.name]: runtime.options } }),
  };
  const executor = createExecutorOn(flags, options, command);
  await using _ = closeAtEnd(executor);
  try {
    if (flags.platform !== undefined) await checkPlatform(client, flags.platform);
    await takeName(client, command.getOptionValueSource("name") === "cli" ? flags.name : undefined);
    if (flags.detach === true) {
      const { terminal } = openStreams({ tty: flags.tty ?? false }, flags.detachKeys);
      return await detach({ client, executor }, step, { secrets, signal: signals.stop, terminal }, flags);
    }
    const canLeave = flags.interactive === true && flags.tty === true && flags.io === "file";
    using streams = openStreams(flags, canLeave ? flags.detachKeys : null);
    const { stdin, terminal } = streams;
    const handle = executor.start(step, { secrets, signal: signals.stop, stdin, terminal, canLeave });
    streams.join(handle);
    if (flags.cidfile !== undefined) await writeId(flags.cidfile, handle);
    const progress = flags.quiet !== true;
    const following = { signals, output: true, beforeOutput: streams.takeKeys, progress };
    const afterEnd = flags.rm === true ? "remove" : "keep";
    const result = await followUnlessLeft(handle, following, { detached: streams.detached, afterEnd });
    streams[Symbol.dispose]();
    if (result === "left") return tellLeft(handle.id);
    reportEnd(result, { stopSignal: flags.stopSignal, wasKilled: signals.kill.aborted });
    return exitCodeWith(signals, exitCodeOf(result));
  } catch (reason) {
    if (signals.received !== undefined && isFromSignal(reason)) return codeOfSignal(signals.received);
    throw inFlags(reason, command);
  }
}
