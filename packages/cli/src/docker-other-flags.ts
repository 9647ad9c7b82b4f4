import { type Command, Option } from "commander";
import { UsageError } from "./failure.js";

/** A flag of docker that a command does not have. */
export interface OtherFlag {
  /** In commander's form: `-p, --publish <list>`. Without a value it is a switch. */
  readonly flags: string;
  /** Returns what to do instead. Undefined: the flag is accepted, since it asks for what happens anyway. */
  readonly instead: (value: string) => string | undefined;
}

const never = (sentence: string) => (): string => sentence;
const taken = (): undefined => undefined;
/** Accepts the values that ask for what happens anyway. */
const but = (values: readonly string[], sentence: string) => (value: string) =>
  values.includes(value) ? undefined : sentence;

const HEALTH =
  "a step does not need a health check, because its exit code shows whether it succeeded; leave the flag out";
const NAMESPACE = "is always the step's own and cannot be shared; leave the flag out";
const ADDRESS =
  "the bridge assigns the addresses; choose the range with --bridge-subnet, for example --bridge-subnet 10.87.0.0/16";
const WINDOWS = "this limit is for Windows";
const PORTS =
  "a step cannot publish ports; use --network host, or --network bridge and the step's own address";
const REALTIME = "a step cannot have real-time scheduling; use --cpus or --cpu-shares";
const VOLUME = "volumes are directories on the daemon's machine; use -v NAME:PATH, or -v /SOURCE:PATH";

/**
 * The flags of `docker run` without a counterpart: those of docker 28, and older ones that are still typed. A
 * flag that asks for what happens anyway is accepted. Any other is refused with what to do instead.
 */
const OTHER_FLAGS: readonly OtherFlag[] = [
  {
    flags: "-a, --attach <stream>",
    instead: never(
      "standard output and error are both passed on; redirect them with > and 2>, or leave the flag out",
    ),
  },
  {
    flags: "--blkio-weight-device <device>",
    instead: never(
      "a weight for one device cannot be set; use --blkio-weight for all devices, or limit one with --device-read-bps, --device-write-bps, --device-read-iops or --device-write-iops",
    ),
  },
  {
    flags: "--cgroup-parent <path>",
    instead: never(
      "a step's cgroup is below the cgroup of containerd's namespace; choose the namespace with --namespace before run",
    ),
  },
  { flags: "--cgroupns <mode>", instead: but(["", "private"], `the cgroup namespace ${NAMESPACE}`) },
  { flags: "--cpu-count <number>", instead: but(["0"], `${WINDOWS}; use --cpus`) },
  { flags: "--cpu-percent <number>", instead: but(["0"], `${WINDOWS}; use --cpus`) },
  { flags: "--cpu-rt-period <microseconds>", instead: but(["0"], REALTIME) },
  { flags: "--cpu-rt-runtime <microseconds>", instead: but(["0"], REALTIME) },
  {
    flags: "--device-cgroup-rule <rule>",
    instead: never(
      "rules for devices cannot be set; name each device with --device, for example --device /dev/fuse",
    ),
  },
  { flags: "--disable-content-trust", instead: taken },
  {
    flags: "--domainname <name>",
    instead: never(
      "a domain name cannot be set alone; put it into the host name: --hostname host.example.com",
    ),
  },
  { flags: "--expose <port>", instead: taken },
  {
    flags: "--gpus <request>",
    instead: never("a step cannot request GPUs; name each device of the GPU: --device /dev/dri/renderD128"),
  },
  { flags: "--health-cmd <command>", instead: never(HEALTH) },
  { flags: "--health-interval <duration>", instead: but(["0", "0s"], HEALTH) },
  { flags: "--health-retries <number>", instead: but(["0"], HEALTH) },
  { flags: "--health-start-interval <duration>", instead: but(["0", "0s"], HEALTH) },
  { flags: "--health-start-period <duration>", instead: but(["0", "0s"], HEALTH) },
  { flags: "--health-timeout <duration>", instead: but(["0", "0s"], HEALTH) },
  {
    flags: "--io-maxbandwidth <size>",
    instead: but(["0"], `${WINDOWS}; use --device-read-bps and --device-write-bps`),
  },
  {
    flags: "--io-maxiops <number>",
    instead: but(["0"], `${WINDOWS}; use --device-read-iops and --device-write-iops`),
  },
  { flags: "--ip <address>", instead: never(ADDRESS) },
  { flags: "--ip6 <address>", instead: never(ADDRESS) },
  { flags: "--ipc <mode>", instead: but(["", "private"], `the IPC namespace ${NAMESPACE}`) },
  {
    flags: "--isolation <technology>",
    instead: but(["", "default"], "isolation technologies are for Windows; leave the flag out"),
  },
  { flags: "--kernel-memory <size>", instead: but(["0"], "kernels no longer have this limit; use --memory") },
  {
    flags: "--link <container>",
    instead: never("steps are not linked; give the address of the other step with --add-host name:address"),
  },
  { flags: "--link-local-ip <address>", instead: never(ADDRESS) },
  {
    flags: "--log-driver <name>",
    instead: but(["none"], "output goes to standard output and error; redirect it, or pipe it to a logger"),
  },
  {
    flags: "--log-opt <option>",
    instead: never("output goes to standard output and error; redirect it, or pipe it to a logger"),
  },
  {
    flags: "--mac-address <address>",
    instead: never("the bridge assigns the MAC address; leave the flag out"),
  },
  {
    flags: "--memory-swappiness <number>",
    instead: but(
      ["-1"],
      "swappiness cannot be set; limit swap with --memory-swap, or leave the flag out: with --memory alone a step gets no swap",
    ),
  },
  {
    flags: "--network-alias <name>",
    instead: never(
      "a step cannot have a second name on the network; give the other steps its address with --add-host name:address",
    ),
  },
  {
    flags: "--net-alias <name>",
    instead: never(
      "a step cannot have a second name on the network; give the other steps its address with --add-host name:address",
    ),
  },
  { flags: "--no-healthcheck", instead: taken },
  {
    flags: "--oom-kill-disable",
    instead: never(
      "a step that reaches its memory limit would hang for ever; leave --memory out to have no limit",
    ),
  },
  { flags: "--pid <mode>", instead: but(["", "private"], `the PID namespace ${NAMESPACE}`) },
  { flags: "-p, --publish <ports>", instead: never(PORTS) },
  { flags: "-P, --publish-all", instead: never(PORTS) },
  {
    flags: "--restart <policy>",
    instead: but(
      ["", "no"],
      "a step is not restarted when it has succeeded; to try it again when it fails, use --retry 3",
    ),
  },
  { flags: "--sig-proxy", instead: taken },
  {
    flags: "--storage-opt <option>",
    instead: never(
      "storage options cannot be set; limit what a step writes with --read-only and --tmpfs PATH:size=1g",
    ),
  },
  {
    flags: "--use-api-socket",
    instead: never(
      "a step never gets the daemon's socket, because with it a program is root on the daemon's machine; leave the flag out",
    ),
  },
  { flags: "--uts <mode>", instead: but(["", "private"], `the UTS namespace ${NAMESPACE}`) },
  { flags: "--volume-driver <name>", instead: but(["", "local"], VOLUME) },
  {
    flags: "--volumes-from <container>",
    instead: never(
      "a step cannot take the volumes of another; give both steps the same volume: -v NAME:PATH",
    ),
  },
];

/** Switches of docker that cannot be turned off with `=false` here, with what to do instead. */
const OFF: Readonly<Record<string, string>> = {
  "--disable-content-trust":
    "wfe-containerd does not check signatures of images; name the image by its digest instead: IMAGE@sha256:...",
  "--rm": "a step's container is always removed; keep files in a volume: -v NAME:PATH",
  "--sig-proxy":
    "the first signal always stops the step; to keep signals away, start wfe-containerd in a new session: setsid wfe-containerd run ...",
};

/** Adds the other flags of docker's `run`. */
export function addOtherFlags(command: Command): void {
  answerFlags(command, OTHER_FLAGS);
}

/** Adds flags of docker that are answered with what to do instead. The command's help does not show them. */
export function answerFlags(command: Command, others: readonly OtherFlag[]): void {
  for (const { flags, instead } of others) {
    const option = new Option(flags).hideHelp();
    command.addOption(option);
    command.on(`option:${option.name()}`, (value: string | null) => {
      const sentence = instead(value ?? "");
      if (sentence !== undefined) throw new UsageError(`${option.long}: ${sentence}`);
    });
  }
}

/** Lets a command take its flags in docker's spelling, too. Call it when all of them are added. */
export function takeDockerSpelling(command: Command): void {
  const parseOptions = command.parseOptions.bind(command);
  command.parseOptions = (args) => parseOptions(fromDockerSpelling(args, command.options));
}

/** The words that Go accepts for true and false. */
const BOOLEANS: Readonly<Record<string, boolean>> = {
  ...Object.fromEntries(["1", "t", "T", "true", "TRUE", "True"].map((text) => [text, true])),
  ...Object.fromEntries(["0", "f", "F", "false", "FALSE", "False"].map((text) => [text, false])),
};

/**
 * Rewrites the arguments before the image from docker's spelling to commander's: `--rm=true` becomes `--rm`,
 * `--init=false` is removed, `-m=64m` becomes `-m 64m`.
 *
 * @throws UsageError when a switch cannot be turned off, or has a value other than true or false.
 */
function fromDockerSpelling(args: readonly string[], options: readonly Option[]): string[] {
  const taken: string[] = [];
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] as string;
    if (arg === "--" || !/^-./.test(arg)) return [...taken, ...args.slice(at)];
    const [, name = arg, value] = /^(--?[^=]+)=(.*)$/s.exec(arg) ?? [];
    const { option, isLast } = optionOf(name, options);
    if (option === undefined || !isLast) {
      taken.push(arg);
    } else if (!option.required) {
      taken.push(...(value === undefined ? [arg] : switchOf(option, name, value)));
    } else if ((value ?? args[at + 1]) === "" && GIVEN_UNLESS_EMPTY.includes(option.long ?? "")) {
      if (value === undefined) at++;
    } else if (value !== undefined) {
      taken.push(...(name.startsWith("--") ? [arg] : [name, value]));
    } else {
      // The next argument is this option's value, not the image.
      taken.push(arg, ...args.slice(at + 1, at + 2));
      at++;
    }
  }
  return taken;
}

/** For these options an empty value counts as not given, as in docker: `--user "$UNSET"`. */
const GIVEN_UNLESS_EMPTY = [
  "--cidfile",
  "--cpuset-cpus",
  "--cpuset-mems",
  "--hostname",
  "--name",
  "--net",
  "--network",
  "--platform",
  "--pull",
  "--stop-signal",
  "--user",
  "--userns",
  "--workdir",
];

/**
 * Finds the option of `--name`, `-n` or `-itn`. `isLast` is false when the argument goes on, as in `-m64m`.
 */
function optionOf(name: string, options: readonly Option[]): { option: Option | undefined; isLast: boolean } {
  if (name.startsWith("--")) return { option: options.find(({ long }) => long === name), isLast: true };
  const letters = [...name.slice(1)];
  const found = letters.map((letter) => options.find(({ short }) => short === `-${letter}`));
  // Switches may be written together. The first option with a value, or an unknown one, ends them.
  const at = found.findIndex((option) => option === undefined || option.required);
  return at === -1
    ? { option: found.at(-1), isLast: true }
    : { option: found[at], isLast: at === letters.length - 1 };
}

function switchOf(option: Option, name: string, value: string): string[] {
  const isOn = Object.hasOwn(BOOLEANS, value) ? BOOLEANS[value] : undefined;
  if (isOn === undefined)
    throw new UsageError(`${name}: ${JSON.stringify(value)} is not allowed; allowed: true, false`);
  if (isOn) return [name];
  const sentence = option.long == null ? undefined : OFF[option.long];
  if (sentence !== undefined) throw new UsageError(`${name}=${value}: ${sentence}`);
  return [];
}
