import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";

const HOST = fileURLToPath(new URL("command-host.mjs", import.meta.url));

/** A call of the command, as its host gets it. */
export interface HostedCall {
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string | undefined;
  readonly input: string | Uint8Array;
}

/** What a host tells of a call that has ended. */
export interface HostedEnd {
  readonly code: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Hosts that wait for a call. They end with this process. */
const idle: ChildProcess[] = [];

/** Runs a call to its end in an idle host, or in a new one. @param main the built command's file. */
export async function callInHost(main: string, call: HostedCall): Promise<HostedEnd> {
  const host = idle.pop() ?? startHost(main);
  const ended = await new Promise<HostedEnd>((resolve, reject) => {
    const onExit = (code: number | null): void => reject(new Error(`the command's host ended with ${code}`));
    host.once("exit", onExit).once("message", (message) => {
      host.off("exit", onExit);
      resolve(message as HostedEnd);
    });
    host.send(call, (reason) => {
      if (reason !== null) reject(reason);
    });
  });
  idle.push(host);
  return ended;
}

function startHost(main: string): ChildProcess {
  const host = fork(HOST, [main], {
    execArgv: [],
    serialization: "advanced",
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  host.unref();
  host.channel?.unref();
  return host;
}
