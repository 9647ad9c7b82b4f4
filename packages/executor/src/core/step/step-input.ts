// Written by `npm run generate` from the declarations of the fields. Do not edit it.

/**
 * A step as written in TypeScript. A step file has the same fields in snake_case.
 */
export interface StepInput {
  /**
   * Name of the step in results, in labels and in the data for later steps.
   *
   * @example "build"
   */
  readonly name: string;
  /**
   * Image to run in.
   *
   * Limited by the policy's `registries`.
   *
   * @example "alpine:3.20"
   */
  readonly image: string;
  /**
   * A script. It ends at the first command that fails, unless it says `set +e`.
   *
   * @example "npm ci && npm test"
   */
  readonly run?: string | undefined;
  /**
   * Program that runs the script of `run`. `sh`, `bash` (with -e -o pipefail), or a command in which `{0}`
   * stands for the script's file; also as a list.
   *
   * @default the script's own `#!` line, else `/bin/sh -e`
   *
   * @example "bash"
   * @example "python3 -u {0}"
   */
  readonly shell?: string | readonly string[] | undefined;
  /**
   * Program and its arguments, instead of `run`. It replaces the image's entrypoint. `[""]` removes the
   * entrypoint, as in docker.
   *
   * @default the image's own
   *
   * @example ["node", "main.js"]
   */
  readonly command?: readonly string[] | undefined;
  /**
   * Arguments of `command`, or else of the image's entrypoint.
   *
   * @default the image's own
   *
   * @example ["--verbose"]
   */
  readonly args?: readonly string[] | undefined;
  /**
   * Environment variables: a map, or a list of `NAME=value`. In a program a number or boolean becomes
   * `String(value)`, so `1.10` becomes `1.1`: give a string. In a file, values are texts as written.
   *
   * @example { NODE_ENV: "test" }
   * @example ["NODE_ENV=test"]
   */
  readonly env?: Readonly<Record<string, string | number | boolean>> | readonly string[] | undefined;
  /**
   * Directory in which the process starts. If it is missing, it is created and belongs to the step's user. It
   * belongs to root if it is in a volume or cache, or if the step has volumes and the daemon is remote.
   *
   * @default the image's own, else `/`
   *
   * @example "/work"
   */
  readonly workingDir?: string | undefined;
  /**
   * User of the process: uid, uid:gid, name, name:group, or `image` for the image's own.
   *
   * Limited by the policy's `imageUser`.
   *
   * @default 65534:65534
   *
   * @example "1000:1000"
   * @example "image"
   */
  readonly user?: string | number | undefined;
  /**
   * Additional groups: gids, or names of groups in the image.
   *
   * @example ["docker", 4]
   */
  readonly groupAdd?: readonly (string | number)[] | undefined;
  /** Run a small program as process 1, which reaps orphaned processes and passes signals on. */
  readonly init?: boolean | undefined;
  /** When to pull the image. */
  readonly pull?: "always" | "if-not-present" | "never" | undefined;
  /**
   * Credentials by registry host: `{ host: { username, password } }`.
   *
   * @default docker's config
   */
  readonly registryAuth?: Readonly<Record<string, {
    readonly username: string;
    readonly password: string;
  }>> | undefined;
  /**
   * Address of another daemon: /path, unix://, tcp://, http:// or https://.
   *
   * Limited by the policy's `addresses`.
   *
   * @default the executor's own daemon
   *
   * @example "tcp://10.0.0.5:2500"
   */
  readonly containerdAddr?: string | undefined;
  /**
   * TLS files for `containerdAddr`: `{ ca, cert, key }`. Each is the contents of a PEM file, or its path on
   * the executor's machine.
   */
  readonly tls?: {
    /** Certificates of the authorities that the daemon's may come from. */
    readonly ca?: string | undefined;
    /** Certificate of the client. */
    readonly cert?: string | undefined;
    /** Key of the client's certificate. */
    readonly key?: string | undefined;
  } | undefined;
  /**
   * Longest time that the process may run, counted from its start.
   *
   * Limited by the policy's `maximumTimeoutMs`.
   *
   * @default no limit
   *
   * @example "30s"
   * @example "5m"
   */
  readonly timeout?: string | undefined;
  /**
   * The same in milliseconds, instead of `timeout`.
   *
   * Limited by the policy's `maximumTimeoutMs`.
   *
   * @example 60000
   */
  readonly timeoutMs?: number | undefined;
  /**
   * Signal that stops the process, before SIGKILL.
   *
   * @default the image's own, else SIGTERM
   *
   * @example "SIGINT"
   * @example "SIGRTMIN+3"
   */
  readonly stopSignal?: string | undefined;
  /**
   * Time between the stop signal and SIGKILL.
   *
   * Limited by the policy's `maximumStopGraceMs`.
   *
   * @default 10s
   *
   * @example "30s"
   */
  readonly stopGrace?: string | undefined;
  /**
   * The same in milliseconds, instead of `stopGrace`.
   *
   * Limited by the policy's `maximumStopGraceMs`.
   *
   * @example 30000
   */
  readonly stopGraceMs?: number | undefined;
  /**
   * Try the step again when it fails: `{ attempts, delay, backoff, on }`. `attempts` counts the first one
   * too. `delay` is the time before the next attempt (1s), and grows by the factor `backoff` (1) each time.
   * `on` lists after which causes of a result, or kinds of an error. Without `on`: after every failure that
   * may pass and whose outcome is known.
   *
   * Limited by the policy's `maximumAttempts`.
   *
   * @default one attempt
   *
   * @example { attempts: 3 }
   * @example { attempts: 5, delay: "10s", backoff: 2, on: ["timeout", "daemon-unavailable"] }
   */
  readonly retry?: {
    /** How many attempts, with the first one. */
    readonly attempts: number;
    /** Time between an attempt and the next one. Default: 1s. */
    readonly delay?: string | undefined;
    /** The factor by which the delay grows each time, up to an hour. Default: 1. */
    readonly backoff?: number | undefined;
    /**
     * Causes of results and kinds of errors after which to try again. Default: all but runtime-lost, unknown,
     * image-not-found, command-not-found and command-not-executable.
     */
    readonly on?: readonly ("exit" | "signal" | "timeout" | "oom" | "log-io-failed" | "runtime-lost" | "unknown" | "daemon-unavailable" | "pull-failed" | "image-not-found" | "command-not-found" | "command-not-executable" | "runtime" | "io")[] | undefined;
  } | undefined;
  /**
   * How much of the step's output is kept, of both streams together. At most what the executor allows.
   *
   * @default the executor's, which is 2 GiB unless it was set
   *
   * @example "64m"
   */
  readonly maxLogBytes?: string | number | undefined;
  /**
   * What happens when the step prints more than that. `fail`: it is stopped. `truncate`: it goes on, and only
   * the first bytes are kept. `drop-oldest`: it goes on, and only the newest bytes are kept.
   *
   * @default the executor's, which is `drop-oldest` unless it was set
   */
  readonly onLogLimit?: "fail" | "truncate" | "drop-oldest" | undefined;
  /**
   * Labels of the container. Names with a slash, `io.*` and `com.docker.*` are refused, because containerd
   * and the tools that use it act on such labels.
   *
   * @example { team: "build" }
   */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /**
   * Directories or files of the daemon's machine, or volumes by name. Each is `source:target`,
   * `source:target:ro`, or `{ source, target, readonly, propagation, noexec }`. With `propagation: rslave`
   * the step also sees what is mounted below the source later. For this, the source must be on a shared
   * mount. A private mount is refused; with a remote daemon it is not refused, but has no effect.
   *
   * Limited by the policy's `mountSources` and `volumes`.
   *
   * @example ["/srv/data:/data:ro"]
   * @example [{ source: "builds", target: "/builds" }]
   */
  readonly volumes?: readonly ({
    /** A path on the daemon's machine, or the name of a volume. */
    readonly source: string;
    /** Path in the container. */
    readonly target: string;
    /** Whether the step may not write to it. */
    readonly readonly?: boolean | undefined;
    /** rslave: the step also sees what is mounted below the source later. */
    readonly propagation?: "rprivate" | "rslave" | undefined;
    /** Whether programs in it cannot be run. */
    readonly noexec?: boolean | undefined;
  } | string)[] | undefined;
  /**
   * Directories that are kept between steps, and may be removed when no step uses them. Each is
   * `name:target`, or `{ name, target }`.
   *
   * Limited by the policy's `volumes`.
   *
   * @example ["npm:/root/.npm"]
   */
  readonly caches?: readonly ({
    /** Steps that give the same name share the files. */
    readonly name: string;
    /** Path in the container. */
    readonly target: string;
  } | string)[] | undefined;
  /**
   * Directories in memory, which are gone with the step. Each is a path,
   * `target:size=64m,mode=1777,uid=1000,exec`, or `{ target, size, mode, uid, gid, readonly, noexec }`. Mode
   * 1777 and noexec, unless you say otherwise.
   *
   * @example ["/tmp:size=64m"]
   */
  readonly tmpfs?: readonly ({
    /** Path in the container. */
    readonly target: string;
    /** The most that it may hold. Default: half of the memory. */
    readonly size?: string | number | undefined;
    /** Permission bits. Default: 0o1777. */
    readonly mode?: number | undefined;
    /** Owner. Default: 0. */
    readonly uid?: number | undefined;
    /** Group. Default: 0. */
    readonly gid?: number | undefined;
    /** Whether the step may not write to it. */
    readonly readonly?: boolean | undefined;
    /** Whether programs in it cannot be run. Default: true. */
    readonly noexec?: boolean | undefined;
  } | string)[] | undefined;
  /**
   * Secrets by name, each a file that only the step's user can read: /run/secrets/NAME. Each is a name, or
   * `{ name, target, mask }`. The caller of the executor gives the values. They are masked in the output,
   * unless `mask` is false.
   *
   * @example ["npm-token"]
   * @example [{ name: "key", target: "/run/keys/key.pem" }]
   */
  readonly secrets?: readonly ({
    readonly name: string;
    /** Path of the file in the container. Default: /run/secrets/NAME. */
    readonly target?: string | undefined;
    /** Whether the value is replaced by *** in the step's output. */
    readonly mask?: boolean | undefined;
  } | string)[] | undefined;
  /** Make the root file system read-only. */
  readonly readOnly?: boolean | undefined;
  /**
   * Size of `/dev/shm`.
   *
   * @default 64m
   *
   * @example "256m"
   */
  readonly shmSize?: string | number | undefined;
  /**
   * Network of the step. `none`: only loopback. `bridge`: an address of the step's own. `host`: the network
   * of the daemon's machine.
   *
   * Limited by the policy's `bridgeNetwork` and `hostNetwork`.
   */
  readonly network?: "none" | "host" | "bridge" | undefined;
  /**
   * Host name of the step.
   *
   * @default the container's id
   *
   * @example "builder"
   */
  readonly hostname?: string | undefined;
  /**
   * Additional lines of `/etc/hosts`: a map, or a list of name:address.
   *
   * @example { db: "10.0.0.7" }
   * @example ["db:10.0.0.7"]
   */
  readonly extraHosts?: Readonly<Record<string, string>> | readonly string[] | undefined;
  /**
   * Name servers.
   *
   * @default those of the network
   *
   * @example ["10.0.0.2"]
   */
  readonly dns?: readonly string[] | undefined;
  /**
   * Domains in which names without a dot are looked up.
   *
   * @example ["example.com"]
   */
  readonly dnsSearch?: readonly string[] | undefined;
  /**
   * Options of `/etc/resolv.conf`.
   *
   * @example ["ndots:2"]
   */
  readonly dnsOptions?: readonly string[] | undefined;
  /**
   * Memory limit. The kernel kills the step if it needs more.
   *
   * Limited by the policy's `maximumMemoryBytes`.
   *
   * @default no limit
   *
   * @example "512m"
   */
  readonly memory?: string | number | undefined;
  /**
   * Limit of memory and swap together; -1 for any amount of swap. It needs `memory`.
   *
   * Limited by the policy's `maximumMemoryBytes`.
   *
   * @default with `memory`, no swap
   *
   * @example "1g"
   * @example -1
   */
  readonly memorySwap?: string | number | undefined;
  /**
   * Memory that the kernel tries to leave to the step.
   *
   * @example "256m"
   */
  readonly memoryReservation?: string | number | undefined;
  /**
   * CPU limit, in CPUs.
   *
   * @default no limit
   *
   * @example 0.5
   */
  readonly cpu?: number | undefined;
  /**
   * Share of CPU time against other containers; 1024 is usual.
   *
   * @example 512
   */
  readonly cpuShares?: number | undefined;
  /**
   * CPUs to run on.
   *
   * @default any
   *
   * @example "0-3,7"
   */
  readonly cpusetCpus?: string | undefined;
  /**
   * Memory nodes to use.
   *
   * @default any
   *
   * @example "0-1"
   */
  readonly cpusetMems?: string | undefined;
  /**
   * Limit of processes and threads together; -1 for any number.
   *
   * Limited by the policy's `maximumPids`.
   *
   * @default 4096
   *
   * @example 100
   */
  readonly pidsLimit?: number | undefined;
  /**
   * Share of block I/O against other containers, 10 to 1000.
   *
   * @example 500
   */
  readonly blkioWeight?: number | undefined;
  /**
   * Limit of bytes read per second, by the numbers of the block device.
   *
   * @example { "8:0": "10m" }
   */
  readonly deviceReadBps?: Readonly<Record<string, string | number>> | undefined;
  /**
   * Limit of bytes written per second, by the numbers of the block device.
   *
   * @example { "8:0": "10m" }
   */
  readonly deviceWriteBps?: Readonly<Record<string, string | number>> | undefined;
  /**
   * Limit of reads per second, by the numbers of the block device.
   *
   * @example { "8:0": 1000 }
   */
  readonly deviceReadIops?: Readonly<Record<string, number>> | undefined;
  /**
   * Limit of writes per second, by the numbers of the block device.
   *
   * @example { "8:0": 1000 }
   */
  readonly deviceWriteIops?: Readonly<Record<string, number>> | undefined;
  /**
   * Limit of huge pages, by their size.
   *
   * @example { "2MB": "64m" }
   */
  readonly hugepages?: Readonly<Record<string, string | number>> | undefined;
  /**
   * Limits of the process by name: one number, or `{ soft, hard }`; -1 for unlimited.
   *
   * Limited by the policy's `ulimits`.
   *
   * @default `nofile`: 65536 open files, which a program may raise to 524288, or less if the daemon may not
   * give as many; all others: the daemon's own
   *
   * @example { nofile: 1024, core: { soft: 0, hard: -1 } }
   */
  readonly ulimits?: Readonly<Record<string, number | {
    readonly soft: number;
    readonly hard: number;
  }>> | undefined;
  /**
   * Above 0, the kernel kills the step before other processes.
   *
   * Limited by the policy's `minimumOomScoreAdj`.
   *
   * @default 0; if the daemon's own score is above 0 and the daemon may not lower it, that score
   *
   * @example 500
   */
  readonly oomScoreAdj?: number | undefined;
  /**
   * Capabilities to add: names with or without `CAP_`, or `ALL`.
   *
   * Limited by the policy's `capabilities`.
   *
   * @default root has docker's fourteen, other users none
   *
   * @example ["NET_ADMIN"]
   */
  readonly capAdd?: readonly string[] | undefined;
  /**
   * Capabilities to take away: names with or without `CAP_`, or `ALL`.
   *
   * @example ["ALL"]
   */
  readonly capDrop?: readonly string[] | undefined;
  /**
   * Give every capability, no seccomp filter, nothing masked. The step may create and open any device, but
   * the machine's devices are not added to its `/dev`.
   *
   * Limited by the policy's `privileged`.
   */
  readonly privileged?: boolean | undefined;
  /**
   * Let set-uid programs gain no privileges.
   *
   * Limited by the policy's `newPrivileges`.
   *
   * @default `true`, unless the step is privileged
   */
  readonly noNewPrivileges?: boolean | undefined;
  /**
   * Filter of system calls: `default`, `unconfined`, or a profile in the form of docker's files.
   *
   * Limited by the policy's `seccomp`.
   *
   * @default docker's profile, without AF_ALG and AF_VSOCK sockets
   */
  readonly seccomp?: "default" | "unconfined" | {
    readonly defaultAction: string;
  } & Readonly<Record<string, unknown>> | undefined;
  /**
   * Name of an AppArmor profile that is loaded on the daemon's machine, or `unconfined`.
   *
   * Limited by the policy's `apparmorProfiles`.
   *
   * @default the profile for containers (`docker-default` and the like) that is loaded on the daemon's
   * machine; none if the daemon is remote, because the executor cannot know which profiles are loaded
   *
   * @example "unconfined"
   */
  readonly apparmorProfile?: string | undefined;
  /**
   * Runtime that makes the container, by a name that the operator has listed. The operator lists runtimes in
   * the option `runtimes` of the executor: crun, gVisor and others. With a runtime whose containers have a
   * kernel of their own, a step cannot have secrets.
   *
   * @default runc
   *
   * @example "crun"
   */
  readonly runtime?: string | undefined;
  /**
   * Map the step's user and group ids to other ids on the daemon's machine. It needs containerd 2.x with
   * overlayfs, and Linux 5.19. It cannot be combined with secrets, `privileged` or the host's network. Files
   * in a volume from that machine appear as owned by nobody, unless they belong to the mapped ids.
   */
  readonly userNamespace?: boolean | undefined;
  /**
   * Devices: `/dev/fuse` and others whose numbers are fixed, or `{ path, type, major, minor, access }`.
   *
   * Limited by the policy's `devices`.
   *
   * @default null, zero, full, random, urandom, tty and the terminals
   *
   * @example ["/dev/fuse"]
   * @example [{ path: "/dev/loop0", type: "b", major: 7, minor: 0, access: "r" }]
   */
  readonly devices?: readonly ({
    readonly path: string;
    readonly type: "b" | "c";
    readonly major: number;
    readonly minor: number;
    /** Some of r, w and m (mknod). Default: rwm. */
    readonly access?: string | undefined;
  } | string)[] | undefined;
  /**
   * Kernel parameters of the step's own namespaces.
   *
   * Limited by the policy's `sysctls`.
   *
   * @default only those that let a step listen on any port and send pings, if it has its own network
   *
   * @example { "net.core.somaxconn": 1024 }
   */
  readonly sysctls?: Readonly<Record<string, string | number>> | undefined;
  /**
   * Annotations of the container, for its runtime.
   *
   * Limited by the policy's `annotations`.
   *
   * @example { "run.oci.keep_original_groups": "1" }
   */
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}
