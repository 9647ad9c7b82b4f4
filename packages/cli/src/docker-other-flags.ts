import type { Command } from "commander";
import { answerFlags, type OtherFlag } from "./answer-flags.js";

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

/** Adds the other flags of docker's `run`. */
export function addOtherFlags(command: Command): void {
  answerFlags(command, OTHER_FLAGS);
}
