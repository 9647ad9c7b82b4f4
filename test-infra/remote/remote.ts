import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Client, createClient } from "@wfe-containerd/client";
import { type Forward, forward } from "./forward.js";

/**
 * A containerd that behaves as on another machine: it shares one directory with this machine, but has its own
 * files, network and processes.
 */
export interface RemoteDaemon extends AsyncDisposable {
  /** `tcp://127.0.0.1:<port>`. The port is forwarded to port 2500 in the daemon's network. */
  readonly address: string;
  /** For an inventory: its paths are those on the daemon's side, its `pid` is that on this side. */
  readonly socketPath: string;
  readonly directory: string;
  readonly pid: number;
  /** Cuts the open connections to the daemon. */
  cut(): void;
  stop(): Promise<void>;
}

export interface RemoteDaemonOptions {
  /** The directory that both sides share, at the same path. */
  readonly ioDir: string;
  /** Searched first for containerd and its shim. Default: `WFE_CONTAINERD_BIN_DIR`. */
  readonly binDir?: string | undefined;
}

const PORT = 2500;
const READY_TIMEOUT_MS = 100_000;
const PROBE_MS = 20;
const CGROUPS = "/sys/fs/cgroup";
const INSIDE = fileURLToPath(new URL("inside.sh", import.meta.url));

/** Starts a daemon. Needs root, util-linux, iproute2 and socat. */
export async function startRemoteDaemon({
  ioDir,
  binDir = process.env["WFE_CONTAINERD_BIN_DIR"],
}: RemoteDaemonOptions): Promise<RemoteDaemon> {
  const mountPoint = await mkdtemp(join(tmpdir(), "remote-root-"));
  const directory = `/srv/remote-${randomBytes(6).toString("hex")}`;
  const namespaces = [
    "--mount",
    "--net",
    "--pid",
    "--ipc",
    "--uts",
    "--fork",
    "--kill-child",
    "--propagation",
    "private",
  ];
  const outside = spawn(
    "unshare",
    [...namespaces, "sh", INSIDE, mountPoint, ioDir, directory, binDir ?? ""],
    {
      stdio: ["ignore", "ignore", "pipe"],
      detached: true,
    },
  );
  const ended = once(outside, "close");
  let log = "";
  outside.stderr.setEncoding("utf8").on("data", (text: string) => {
    log = (log + text).slice(-4096);
  });
  let port: Forward | undefined;
  let client: Client | undefined;

  async function stop(): Promise<void> {
    const groups = client === undefined ? [] : await groupsOf(client).catch(() => []);
    await client?.close();
    await port?.close();
    // When a PID namespace's first process ends, so do the others; then the mounts and the network are gone.
    outside.kill("SIGKILL");
    await ended;
    for (const group of groups) await rmdir(group).catch(() => undefined);
    await rm(mountPoint, { recursive: true, force: true });
  }

  try {
    const pid = await firstProcess(outside);
    port = await forward(pid, PORT);
    const address = `tcp://127.0.0.1:${port.port}`;
    client = createClient({ address, namespace: "default" });
    await waitUntilReady(client, outside);
    return {
      address,
      socketPath: `${directory}/containerd.sock`,
      directory,
      pid,
      cut: port.cut,
      stop,
      [Symbol.asyncDispose]: stop,
    };
  } catch (cause) {
    await stop();
    throw new Error(`the remote daemon did not start: ${log.trim()}`, { cause });
  }
}

/** Returns the child of `unshare`, which runs in the new namespaces. */
async function firstProcess(outside: ChildProcess): Promise<number> {
  const path = `/proc/${outside.pid}/task/${outside.pid}/children`;
  for (;;) {
    const children = (await readFile(path, "utf8")).trim();
    if (children !== "") return Number(children.split(" ")[0]);
    await delay(PROBE_MS);
  }
}

async function waitUntilReady(client: Client, outside: ChildProcess): Promise<void> {
  const giveUpAt = performance.now() + READY_TIMEOUT_MS;
  for (;;) {
    const reason = await client.version({ timeoutMs: 1_000 }).then(
      () => undefined,
      (error: unknown) => error,
    );
    if (reason === undefined) return;
    if (outside.exitCode !== null || performance.now() > giveUpAt) throw reason;
    await delay(PROBE_MS);
  }
}

/**
 * Lists the control groups of all tasks and then of their namespaces. Killing the daemon does not remove
 * them: they belong to the whole kernel.
 */
async function groupsOf(client: Client): Promise<string[]> {
  const hierarchies = [CGROUPS, ...(await readdir(CGROUPS)).map((name) => join(CGROUPS, name))];
  const { namespaces } = await client.services.namespaces.list({});
  const found: string[] = [];
  for (const { name } of namespaces) {
    const tasks = await client.with({ namespace: name }).tasks.list();
    for (const hierarchy of hierarchies) {
      found.push(...tasks.map(({ id }) => join(hierarchy, name, id)), join(hierarchy, name));
    }
  }
  return found;
}
