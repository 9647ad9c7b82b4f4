import { createExecutor } from "@wfe-containerd/executor";
import { type Command, Option } from "commander";
import { answerFlags } from "../answer-flags.js";
import { closeAtEnd } from "../close-executor.js";
import { connect } from "../connection.js";
import { removeIfOver } from "../ended-step.js";
import { OutputError, UsageError } from "../failure.js";
import { parseSecret, readSecrets, secretFlag } from "../secret.js";
import { printLog, startOfTail } from "../step-output.js";
import { stepOf } from "../steps.js";
import { catchStopSignals, codeOfSignal } from "../stop-signals.js";

interface LogsFlags {
  readonly follow?: boolean;
  readonly tail: string;
  readonly secret?: readonly string[];
}

const EXAMPLE = `
Examples:
  wfe-containerd logs server
  wfe-containerd logs -f --tail 20 server`;

const NO_TIMES =
  "the times of a step's output are not stored; to see when output comes, use ts of moreutils: wfe-containerd logs -f NAME | ts";

export function defineLogs(command: Command): void {
  command
    .description(
      "Print the output of a step: of one that runs, or that has ended and was started with run -d.",
    )
    .argument("<step>", "id, beginning of an id, or name")
    .option("-f, --follow", "go on until the step has ended")
    .option("-n, --tail <lines>", "only so many of the last lines of stdout, and of stderr; or all", "all")
    .addOption(secretFlag())
    .addOption(new Option("--details").hideHelp())
    .addHelpText("after", EXAMPLE);
  answerFlags(
    command,
    ["-t, --timestamps", "--since <time>", "--until <time>"].map((flags) => ({
      flags,
      instead: () => NO_TIMES,
    })),
  );
  command.action(async (word: string, flags: LogsFlags, self: Command) => {
    process.exitCode = await logs(word, flags, self);
  });
}

async function logs(
  word: string,
  { follow = false, tail, secret = [] }: LogsFlags,
  command: Command,
): Promise<number> {
  const lines = parseTail(tail);
  const secrets = await readSecrets(secret.map(parseSecret));
  using signals = catchStopSignals({ stopping: null });
  await using client = await connect(command);
  const { id } = await stepOf(client, word);
  const executor = createExecutor({ client, reapIntervalMs: 0 });
  await using _ = closeAtEnd(executor);
  const handle = await executor.attach(id, { secrets });
  try {
    await handle.started;
    const from = lines === undefined ? {} : await startOfTail(handle, lines);
    await printLog(handle, { from, follow, signal: signals.stop });
    if (follow && !signals.stop.aborted) {
      await handle.closed;
      await removeIfOver(client, id);
    }
    return 0;
  } catch (reason) {
    if (signals.received !== undefined) return codeOfSignal(signals.received);
    if (reason instanceof OutputError) return codeOfSignal("SIGPIPE");
    throw reason;
  } finally {
    handle.kill();
  }
}

function parseTail(text: string): number | undefined {
  // As in docker, a negative number means all.
  if (text === "all" || /^-\d+$/.test(text)) return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new UsageError(
    `--tail: ${JSON.stringify(text)} is not a number of lines; allowed: a number, or all; example: --tail 20`,
  );
}
