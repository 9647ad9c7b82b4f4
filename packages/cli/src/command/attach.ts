import { createExecutor } from "@wfe-containerd/executor";
import { type Command, Option } from "commander";
import { closeAtEnd } from "../close-executor.js";
import { connect } from "../connection.js";
import { exitCodeOf, reportEnd } from "../exit-code.js";
import { parseSecret, readSecrets, secretFlag } from "../secret.js";
import { endOfLog, printLog } from "../step-output.js";
import { runningStepOf } from "../steps.js";
import { catchStopSignals, codeOfSignal } from "../stop-signals.js";
import { sendSignal } from "./kill.js";

interface AttachFlags {
  readonly sigProxy: boolean;
  readonly secret?: readonly string[];
}

const EXAMPLE = `
Ctrl-C reaches the step, as in docker; a second one ends only this command. With --no-sig-proxy the first one does.
A step that was started with -i reads from the command that started it. To type into a step: exec -it NAME sh.`;

export function defineAttach(command: Command): void {
  command
    .description(
      "Print what a running step prints from now on, wait for its end, and exit with its exit code.",
    )
    .argument("<step>", "id, beginning of an id, or name")
    .option("--no-sig-proxy", "keep signals from the step")
    .addOption(secretFlag())
    .addOption(new Option("--no-stdin").hideHelp())
    .addOption(new Option("--detach-keys <keys>").hideHelp())
    .addHelpText("after", EXAMPLE)
    .action(async (word: string, flags: AttachFlags, self: Command) => {
      process.exitCode = await attach(word, flags, self);
    });
}

async function attach(
  word: string,
  { sigProxy, secret = [] }: AttachFlags,
  command: Command,
): Promise<number> {
  const secrets = await readSecrets(secret.map(parseSecret));
  using signals = catchStopSignals({ quiet: true });
  await using client = await connect(command);
  const { id } = await runningStepOf(client, word);
  const executor = createExecutor({ client, reapIntervalMs: 0 });
  await using _ = closeAtEnd(executor);
  const handle = await executor.attach(id, { secrets });
  const ending = sigProxy ? signals.kill : signals.stop;
  if (sigProxy)
    signals.stop.addEventListener("abort", () => {
      void sendSignal(client, id, signals.received ?? "SIGTERM").catch(() => undefined);
    });
  try {
    await handle.started;
    await printLog(handle, { from: await endOfLog(handle), follow: true, signal: ending });
    const result = await handle.result;
    reportEnd(result, { wasKilled: true });
    return exitCodeOf(result);
  } catch (reason) {
    if (ending.aborted && signals.received !== undefined) return codeOfSignal(signals.received);
    throw reason;
  } finally {
    handle.kill();
  }
}
