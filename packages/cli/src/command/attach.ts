import type { Readable } from "node:stream";
import { createDeferred } from "@wfe-containerd/client/internal";
import { createExecutor } from "@wfe-containerd/executor";
import { type Command, Option } from "commander";
import { closeAtEnd } from "../close-executor.js";
import { connect } from "../connection.js";
import { removeIfOver } from "../ended-step.js";
import { exitCodeOf, reportEnd } from "../exit-code.js";
import { tellLeft } from "../leave-step.js";
import { parseSecret, readSecrets, secretFlag } from "../secret.js";
import { endOfLog, printLog } from "../step-output.js";
import { activeStepOf } from "../steps.js";
import { catchStopSignals, codeOfSignal } from "../stop-signals.js";
import { openStreams } from "../terminal.js";
import { sendSignal } from "./kill.js";

interface AttachFlags {
  readonly sigProxy: boolean;
  readonly stdin: boolean;
  readonly detachKeys?: string;
  readonly secret?: readonly string[];
}

const EXAMPLE = `
Examples:
  wfe-containerd attach server
  wfe-containerd attach --no-sig-proxy server        Ctrl-C ends only this command
  wfe-containerd attach --detach-keys ctrl-x shell

Ctrl-C reaches the step, as in docker; a second one ends only this command. With --no-sig-proxy the first one does.
At the terminal of a step that was started with -it, keys go to the step, also Ctrl-C; Ctrl-P Ctrl-Q leaves it.
A step that was started without -i takes no input. To type into it: exec -it NAME sh.`;

export function defineAttach(command: Command): void {
  command
    .description(
      "Print what a running step prints from now on, pass standard input on to it, wait for its end, and exit with its exit code.",
    )
    .argument("<step>", "id, beginning of an id, or name")
    .option("--no-sig-proxy", "keep signals from the step")
    .addOption(new Option("--sig-proxy").hideHelp())
    .addOption(secretFlag())
    .option("--no-stdin", "do not pass standard input on")
    .option("--detach-keys <keys>", "keys that leave the terminal of a step: ctrl-p,ctrl-q")
    .addHelpText("after", EXAMPLE)
    .action(async (word: string, flags: AttachFlags, self: Command) => {
      process.exitCode = await attach(word, flags, self);
    });
}

async function attach(
  word: string,
  { sigProxy, secret = [], stdin: takesInput, detachKeys }: AttachFlags,
  command: Command,
): Promise<number> {
  const secrets = await readSecrets(secret.map(parseSecret));
  using signals = catchStopSignals({ stopping: null });
  await using client = await connect(command);
  const { id, openStdin, terminal } = await activeStepOf(client, word);
  const interactive = openStdin && takesInput;
  using streams = openStreams({ interactive, tty: terminal && process.stdin.isTTY }, detachKeys);
  const executor = createExecutor({ client, reapIntervalMs: 0 });
  await using _ = closeAtEnd(executor);
  const printing = createDeferred<void>();
  const stdin = streams.stdin && readAfter(printing.promise, streams.stdin);
  const handle = await executor.attach(id, { secrets, stdin });
  const ending = sigProxy ? signals.kill : signals.stop;
  if (sigProxy)
    signals.stop.addEventListener("abort", () => {
      void sendSignal(client, id, signals.received ?? "SIGTERM").catch(() => undefined);
    });
  try {
    await handle.started;
    const signal = AbortSignal.any([ending, streams.detached]);
    const from = await endOfLog(handle);
    // What it prints because of the input, or because of the terminal's size, is printed here.
    printing.resolve();
    streams.join(handle);
    await printLog(handle, { from, follow: true, signal });
    const result = await handle.result;
    reportEnd(result, { wasKilled: true });
    await handle.closed;
    await removeIfOver(client, id);
    return exitCodeOf(result);
  } catch (reason) {
    if (streams.detached.aborted) return tellLeft(id);
    if (ending.aborted && signals.received !== undefined) return codeOfSignal(signals.received);
    throw reason;
  } finally {
    handle.kill();
  }
}

async function* readAfter(moment: Promise<void>, source: Readable): AsyncGenerator<Uint8Array> {
  await moment;
  yield* source;
}
