import { createExecutor, UNRESTRICTED_POLICY } from "@wfe-containerd/executor";
import { type Command, Option } from "commander";
import { answerFlags, type OtherFlag } from "../answer-flags.js";
import { closeAtEnd } from "../close-executor.js";
import { connect } from "../connection.js";
import { readEnvironment } from "../environment.js";
import { exitCodeOf, exitCodeWith, isFromSignal, reportEnd } from "../exit-code.js";
import { UsageError } from "../failure.js";
import { inFlags } from "../flag-names.js";
import { follow } from "../follow.js";
import { parseSecret, readSecrets, secretFlag } from "../secret.js";
import { activeStepOf } from "../steps.js";
import { catchStopSignals, codeOfSignal } from "../stop-signals.js";
import { openStreams, type StreamFlags } from "../terminal.js";
import { collect } from "../transfer.js";

interface ExecFlags extends StreamFlags {
  readonly detach?: boolean;
  readonly env?: readonly string[];
  readonly envFile?: readonly string[];
  readonly user?: string;
  readonly workdir?: string;
  readonly timeout?: string;
  readonly secret?: readonly string[];
}

const EXAMPLE = `
Examples:
  wfe-containerd exec build ls -l /tmp
  wfe-containerd exec -it build sh
  wfe-containerd exec -d build sh -c 'sleep 60; touch /tmp/ready'
  tar c src | wfe-containerd exec -i build tar x -C /tmp

The command runs as the step's own user, unless you give --user, and may never do more than the step.
The exit code is the command's own. 125, 126 and 127 mean the same as in docker.`;

/** Flags of `docker exec` that are refused, with what to do instead. */
const OTHER_FLAGS: readonly OtherFlag[] = [
  {
    flags: "--privileged",
    instead: () => "a command may not do more than its step; give --privileged to run",
  },
];

export function defineExec(command: Command): void {
  command
    .description("Run a command in the container of a running step.")
    .argument("<step>", "id, beginning of an id, or name")
    .argument("<command...>", "program and its arguments")
    .option("-i, --interactive", "pass standard input on to the command, to its end")
    .option("-t, --tty", "give the command a terminal")
    .option("-d, --detach", "leave the command once it runs; what it prints goes nowhere")
    .option("-e, --env <name=value>", "environment variable; NAME alone passes your own on", collect)
    .option("--env-file <file>", "file with environment variables, one a line", collect)
    .option("-u, --user <user>", "name or uid, with :group or :gid (default: that of the step)")
    .option("-w, --workdir <path>", "working directory (default: that of the step)")
    .option("--timeout <duration>", "end the command after this time; example: 90s")
    .addOption(secretFlag())
    .addOption(new Option("--detach-keys <keys>").hideHelp())
    .passThroughOptions()
    .addHelpText("after", EXAMPLE);
  answerFlags(command, OTHER_FLAGS);
  command.action(async (word: string, args: readonly string[], flags: ExecFlags, self: Command) => {
    process.exitCode = await exec(word, args, flags, self);
  });
}

/** @throws UsageError for what needs this command to stay with the process. */
function refuseWithDetach({ interactive, tty, timeout }: ExecFlags): void {
  const refuse = (sentence: string): never => {
    throw new UsageError(`--detach: cannot be used together with ${sentence}`);
  };
  if (interactive === true || tty === true)
    refuse(`${tty === true ? "-t" : "-i"}: nobody would be at the other end; leave it out`);
  if (timeout !== undefined) refuse("--timeout: nobody would end the command; use timeout(1) in the command");
}

async function exec(
  word: string,
  args: readonly string[],
  flags: ExecFlags,
  command: Command,
): Promise<number> {
  if (flags.detach === true) refuseWithDetach(flags);
  const secrets = await readSecrets((flags.secret ?? []).map(parseSecret));
  const env = await readEnvironment(flags.envFile ?? [], flags.env ?? []);
  using signals = catchStopSignals({ stopping: "the command" });
  await using client = await connect(command);
  const { id } = await activeStepOf(client, word);
  const executor = createExecutor({ client, policy: UNRESTRICTED_POLICY, reapIntervalMs: 0 });
  await using _ = closeAtEnd(executor);
  const { user, workdir: workingDir, timeout } = flags;
  const input = { command: [...args], env, user, workingDir, signal: signals.stop };
  try {
    if (flags.detach === true) {
      await executor.detachExec(id, input);
      return 0;
    }
    using streams = openStreams(flags, null);
    const { stdin, terminal } = streams;
    const handle = await executor.exec(id, { ...input, timeout, stdin, terminal }, { secrets });
    streams.join(handle);
    const { takeKeys } = streams;
    const result = await follow(handle, { signals, output: true, beforeOutput: takeKeys, progress: false });
    streams[Symbol.dispose]();
    reportEnd(result, { wasKilled: signals.kill.aborted, what: "the command" });
    return exitCodeWith(signals, exitCodeOf(result));
  } catch (reason) {
    if (signals.received !== undefined && isFromSignal(reason)) return codeOfSignal(signals.received);
    throw inFlags(reason, command);
  }
}
