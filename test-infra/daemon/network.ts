import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A network namespace with only loopback, for a daemon whose steps make interfaces and rules. */
export interface PrivateNetwork extends AsyncDisposable {
  /** For `startDaemon`: its containerd runs in this network. */
  readonly binDir: string;
  /** Runs a program in this network. @returns what the program prints. */
  exec(program: string, ...args: readonly string[]): Promise<string>;
  /** Starts a script on Node in this network. Resolves when the script prints something: it is then ready. */
  startNode(script: string): Promise<ChildProcess>;
}

/** Creates a private network. Needs root, iproute2 and util-linux. */
export async function createPrivateNetwork(): Promise<PrivateNetwork> {
  const name = `wfe-test-${randomBytes(4).toString("hex")}`;
  await run("ip", ["netns", "add", name]);
  const inside = [`--net=/run/netns/${name}`, "--"];
  const binDir = await mkdtemp(join(tmpdir(), "network-bin-"));
  const others = process.env["WFE_CONTAINERD_BIN_DIR"];
  const path = [...(others === undefined || others === "" ? [] : [others]), process.env["PATH"]].join(
    delimiter,
  );
  const containerd = join(binDir, "containerd");
  await writeFile(containerd, `#!/bin/sh\nPATH='${path}' exec nsenter ${inside.join(" ")} containerd "$@"\n`);
  await chmod(containerd, 0o755);
  await run("nsenter", [...inside, "ip", "link", "set", "lo", "up"]);
  const children: ChildProcess[] = [];
  return {
    binDir,
    exec: async (program, ...args) => (await run("nsenter", [...inside, program, ...args])).stdout,
    async startNode(script) {
      const child = spawn("nsenter", [...inside, process.execPath, "--eval", script], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      children.push(child);
      await once(child.stdout, "data");
      return child;
    },
    async [Symbol.asyncDispose]() {
      for (const child of children) {
        const closed = once(child, "close");
        if (child.kill("SIGKILL")) await closed;
      }
      await run("ip", ["netns", "delete", name]);
      await rm(binDir, { recursive: true, force: true });
    },
  };
}
