import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { createClient } from "../connect.js";
import { ContainerdError } from "../error.js";
import { checkOptions, type OptionNames } from "../options.js";
import { refuse } from "../refuse.js";
import { removeLeftovers } from "./leftovers.js";
import { unmountBelow } from "./mounts.js";
import { shimsOf } from "./shims.js";

/** A TCP address on which a private containerd listens. */
export interface DaemonTcpOptions {
  /** Host and port: `127.0.0.1:2500`. */
  readonly address: string;
  /** The file with the authorities that client certificates must come from. */
  readonly ca?: string | undefined;
  /** The file with the daemon's certificate. Needs `key`. */
  readonly cert?: string | undefined;
  /** The file with the private key of `cert`. */
  readonly key?: string | undefined;
}

/** Options of {@link startDaemon}. */
export interface StartDaemonOptions {
  /**
   * Directory for all files of the daemon: root, state, socket, configuration, log.
   *
   * @default a new directory, which `stop` removes
   */
  readonly directory?: string | undefined;
  /**
   * Directory to search first for containerd, its shim and runc.
   *
   * @default `WFE_CONTAINERD_BIN_DIR`, else only PATH
   */
  readonly binDir?: string | undefined;
  /**
   * Also opens containerd's `tcp_address`, for example `127.0.0.1:2500`; with certificate files, over TLS.
   * containerd serves only Kubernetes there. To reach a daemon over TCP with another client, forward a port
   * to its socket.
   */
  readonly tcp?: DaemonTcpOptions | undefined;
  /** More tables for containerd's configuration, in TOML. */
  readonly config?: string | undefined;
  /**
   * The lowest level that containerd logs.
   *
   * @default `warn`
   */
  readonly logLevel?: "trace" | "debug" | "info" | "warn" | "error" | "fatal" | undefined;
  /**
   * How long the daemon may take to answer, in milliseconds.
   *
   * @default 30_000
   */
  readonly readyTimeoutMs?: number | undefined;
  /** Called with each piece of the daemon's log. */
  readonly onLog?: ((text: string) => void) | undefined;
}

const OPTIONS: OptionNames<StartDaemonOptions> = {
  directory: true,
  binDir: true,
  tcp: { address: true, ca: true, cert: true, key: true },
  config: true,
  logLevel: true,
  readyTimeoutMs: true,
  onLog: true,
};

/** A private containerd process. */
export interface Daemon extends AsyncDisposable {
  /** For `createClient`. */
  readonly address: string;
  readonly socketPath: string;
  readonly directory: string;
  readonly rootDir: string;
  readonly stateDir: string;
  readonly logPath: string;
  readonly version: string;
  readonly pid: number;
  /** Resolves when the process has ended, for any reason. */
  readonly exited: Promise<void>;
  kill(signal: NodeJS.Signals): void;
  /** Starts the daemon again in the same directory. Kill it first. */
  restart(): Promise<void>;
  /**
   * Stops the daemon and its containers, and undoes their mounts. Removes the directory if `startDaemon` made
   * it.
   */
  stop(): Promise<void>;
}

/** Linux's limit for the path of a Unix socket. */
const MAX_SOCKET_PATH_BYTES = 107;
const READY_TIMEOUT_MS = 30_000;
const PROBE_MS = 20;

/**
 * Starts a containerd that shares only the binaries with the machine's own: for tests, demos and experiments.
 * It needs Linux and root. A signal that ends this process does not end the daemon, so stop it yourself.
 *
 * @throws ContainerdError `invalid-argument` for an invalid option; `not-found` when containerd is not on
 * PATH; `unavailable`, with the end of its log, when it does not start.
 * @example
 * ```
 * await using daemon = await startDaemon();
 * await using client = createClient({ address: daemon.address });
 * ```
 */
export async function startDaemon(options: StartDaemonOptions = {}): Promise<Daemon> {
  checkOptions("startDaemon", options, OPTIONS);
  const isOurs = options.directory === undefined;
  const directory = options.directory ?? (await mkdtemp(join(tmpdir(), "containerd-")));
  const socketPath = join(directory, "containerd.sock");
  if (Buffer.byteLength(socketPath) > MAX_SOCKET_PATH_BYTES) {
    refuse(
      `directory: ${directory} is too long, because the socket's path has ${Buffer.byteLength(socketPath)} bytes`,
      `up to ${MAX_SOCKET_PATH_BYTES} bytes for the socket's path`,
    );
  }
  await mkdir(directory, { recursive: true, mode: 0o711 });
  // The same mode as /run/containerd. With a user namespace a container's root is another user, who must be
  // able to reach its files below.
  if (isOurs) await chmod(directory, 0o711);
  const places = {
    rootDir: join(directory, "root"),
    stateDir: join(directory, "state"),
    logPath: join(directory, "containerd.log"),
  };
  await writeFile(join(directory, "config.toml"), createConfig(socketPath, places, options), { mode: 0o600 });

  let child: ChildProcess;
  let exited: Promise<void>;
  let version = "";

  async function start(): Promise<void> {
    child = spawn("containerd", ["--config", join(directory, "config.toml")], {
      env: { ...process.env, PATH: searchPath(options.binDir) },
      stdio: ["ignore", "pipe", "pipe"],
      // Ctrl-C at a terminal must not reach the daemon. The program that started the daemon gets it, and
      // stops the daemon in order.
      detached: true,
    });
    const running = child;
    let log = "";
    const file = createWriteStream(places.logPath, { flags: "a", mode: 0o600 });
    for (const stream of [running.stdout, running.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        log = (log + text).slice(-4096);
        file.write(text);
        options.onLog?.(text);
      });
    }
    exited = once(running, "close").then(
      () => void file.end(),
      () => void file.end(),
    );
    await Promise.race([
      once(running, "spawn"),
      once(running, "error").then(([error]) => Promise.reject(error)),
    ]).catch((cause: unknown) => {
      throw new ContainerdError(
        "containerd is not on PATH: install containerd (Debian, Ubuntu: apt-get install containerd runc)",
        { kind: "not-found", cause },
      );
    });
    try {
      version = await waitUntilReady(socketPath, running, options.readyTimeoutMs ?? READY_TIMEOUT_MS);
    } catch (cause) {
      running.kill("SIGKILL");
      await exited;
      throw new ContainerdError(`containerd did not start: ${log.trim().split("\n").slice(-3).join("; ")}`, {
        kind: "unavailable",
        cause,
      });
    }
  }

  async function stop(): Promise<void> {
    for (const pid of await shimsOf(socketPath)) kill(pid);
    child.kill("SIGTERM");
    child.kill("SIGCONT");
    const late = delay(10_000, "late", { ref: false });
    if ((await Promise.race([exited, late])) === "late") child.kill("SIGKILL");
    await exited;
    for (const pid of await shimsOf(socketPath)) kill(pid);
    await removeLeftovers(places.stateDir, searchPath(options.binDir));
    await unmountBelow(directory);
    if (isOurs) await rm(directory, { recursive: true, force: true });
  }

  try {
    await start();
  } catch (reason) {
    if (isOurs) await rm(directory, { recursive: true, force: true }).catch(() => undefined);
    throw reason;
  }
  let stopping: Promise<void> | undefined;
  const stopOnce = (): Promise<void> => (stopping ??= stop());
  return {
    address: `unix://${socketPath}`,
    socketPath,
    directory,
    ...places,
    get version() {
      return version;
    },
    get pid() {
      return child.pid as number;
    },
    get exited() {
      return exited;
    },
    kill: (signal) => void child.kill(signal),
    async restart() {
      await exited;
      await start();
    },
    stop: stopOnce,
    [Symbol.asyncDispose]: stopOnce,
  };
}

function searchPath(binDir = process.env["WFE_CONTAINERD_BIN_DIR"]): string {
  return [binDir, process.env["PATH"], "/usr/sbin", "/sbin"]
    .filter((part) => part !== undefined && part !== "")
    .join(delimiter);
}

/** Version 2 of the configuration format: containerd 1.6 to 2.x read it. */
function createConfig(
  socketPath: string,
  { rootDir, stateDir }: { rootDir: string; stateDir: string },
  { tcp, config = "", logLevel = "warn" }: StartDaemonOptions,
): string {
  const text = JSON.stringify;
  const tcpLines =
    tcp === undefined
      ? []
      : [
          `tcp_address = ${text(tcp.address)}`,
          ...(tcp.ca === undefined ? [] : [`tcp_tls_ca = ${text(tcp.ca)}`]),
          ...(tcp.cert === undefined ? [] : [`tcp_tls_cert = ${text(tcp.cert)}`]),
          ...(tcp.key === undefined ? [] : [`tcp_tls_key = ${text(tcp.key)}`]),
        ];
  return [
    "version = 2",
    `root = ${text(rootDir)}`,
    `state = ${text(stateDir)}`,
    // Disables Kubernetes' service, and plugins that open sockets or need special file systems. On 2.x the
    // sandbox service needs CRI's internal plugins, so these stay.
    `disabled_plugins = ${text(["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt", "io.containerd.nri.v1.nri", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"])}`,
    "[debug]",
    `level = ${text(logLevel)}`,
    "[grpc]",
    `address = ${text(socketPath)}`,
    ...tcpLines,
    "[ttrpc]",
    `address = ${text(`${socketPath}.ttrpc`)}`,
    config,
  ].join("\n");
}

async function waitUntilReady(socketPath: string, child: ChildProcess, timeoutMs: number): Promise<string> {
  const client = createClient({ address: socketPath, namespace: "default" });
  const giveUpAt = performance.now() + timeoutMs;
  try {
    for (;;) {
      const answer = await client.version({ timeoutMs: 1_000 }).catch(() => undefined);
      if (answer !== undefined) return answer.version;
      if (child.exitCode !== null || child.signalCode !== null)
        throw new ContainerdError("the program ended", { kind: "unavailable" });
      if (performance.now() > giveUpAt)
        throw new ContainerdError(`no answer within ${timeoutMs} ms`, { kind: "deadline-exceeded" });
      await delay(PROBE_MS);
    }
  } finally {
    await client.close();
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // The process has ended meanwhile.
  }
}
