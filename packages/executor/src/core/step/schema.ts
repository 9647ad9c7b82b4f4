import { z } from "zod";
import { annotations, apparmorProfile, capabilities, devices, seccomp, sysctls } from "./confinement.js";
import { duration, integer, milliseconds, noNul, refuseField, size, text } from "./field.js";
import { caches, secrets, tmpfs, volumes } from "./filesystem.js";
import { dns, dnsOptions, dnsSearch, extraHosts, hostname } from "./network.js";
import { argument, env, groupAdd, shell, stopSignal, user, workingDir } from "./process.js";
import { blockIo, cpu, hugepages, memorySwap, pidsLimit, ulimits } from "./resources.js";

const name = text("1 to 64 letters, digits, dots, dashes and underscores, a letter or digit first", (value) =>
  /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(value),
).describe("Names the step: in results, in labels, and in the data for later steps.");

/**
 * Programs that share containerd with us (its garbage collector and CRI, nerdctl, BuildKit, Kubernetes) find
 * their own objects, and take orders, by labels with a slash and by labels that begin with these names.
 */
const LABEL = /^(?!io\.|com\.docker\.)[\w.-]+$/;
/** containerd's own limit on a key and its value together. */
const MAX_LABEL_LENGTH = 4096;

const labels = z
  .record(
    text(
      "letters, digits, dots, dashes and underscores, not io.* and com.docker.*: other labels are orders to containerd and the tools on it",
      (key) => LABEL.test(key),
    ),
    z.string(),
  )
  .superRefine((entries, context) => {
    for (const [key, value] of Object.entries(entries)) {
      if (key.length + value.length > MAX_LABEL_LENGTH)
        refuseField(
          context,
          `${key.slice(0, 80)} is too long`,
          `up to ${MAX_LABEL_LENGTH} characters, key and value together`,
        );
    }
  })
  .default({})
  .describe("Labels on the container.");

const positive = (durationMs: number): boolean => durationMs > 0;

const tls = z
  .strictObject({ ca: z.string().optional(), cert: z.string().optional(), key: z.string().optional() })
  .describe("PEM files, or their contents, for a daemon that serves TLS.");

const registryAuth = z
  .record(z.string(), z.strictObject({ username: z.string(), password: z.string() }))
  .describe("Credentials by registry host.");

/**
 * A step as written in a file. This is the one source of what is accepted, of its types, and of its JSON
 * Schema.
 */
export const stepSchema = z.strictObject({
  name,
  image: text("an image reference", (value) => value.trim() !== "" && noNul(value)).describe(
    "The image to run in.",
  ),
  run: text("a script without NUL", (value) => value !== "" && noNul(value))
    .optional()
    .describe("A script. It ends at the first command that fails (/bin/sh -e), unless it says set +e."),
  shell: shell.optional(),
  command: z.array(argument).min(1).optional().describe("The program and its arguments, instead of `run`."),
  args: z
    .array(argument)
    .optional()
    .describe("Arguments, instead of the image's own; behind `command`, or else the image's entrypoint."),
  env: env.default({}),
  working_dir: workingDir.optional(),
  user: user.optional(),
  group_add: groupAdd.default([]),
  init: z
    .boolean()
    .default(false)
    .describe("A small program runs the step's, reaps what it leaves, and passes signals on."),

  volumes,
  caches,
  tmpfs,
  secrets,
  read_only: z.boolean().default(false).describe("The root file system cannot be written to."),
  shm_size: size.optional().describe("Size of /dev/shm. Default 64m."),

  network: z
    .enum(["none", "host", "bridge"])
    .default("none")
    .describe(
      "`none`: loopback alone. `bridge`: an address of the step's own, on a bridge. `host`: the network of the daemon's machine.",
    ),
  hostname: hostname.optional(),
  extra_hosts: extraHosts,
  dns,
  dns_search: dnsSearch,
  dns_options: dnsOptions,

  memory: size.optional().describe("Limit of memory: 512m. Beyond it the kernel kills."),
  memory_swap: memorySwap.optional(),
  memory_reservation: size.optional().describe("Memory that the kernel tries to leave to the step."),
  cpu: cpu.optional(),
  cpu_shares: integer(2, 262_144)
    .optional()
    .describe("Share of CPU time against other containers; 1024 is usual."),
  cpuset_cpus: z.string().optional().describe("CPUs to run on: 0-3,7."),
  cpuset_mems: z.string().optional().describe("Memory nodes to use: 0-1."),
  pids_limit: pidsLimit.optional(),
  ...blockIo,
  hugepages: hugepages.optional(),
  ulimits,
  oom_score_adj: integer(-1000, 1000)
    .optional()
    .describe("Above 0, the kernel kills the step before others."),

  cap_add: capabilities("cap_add").describe("Capabilities beyond the default, or ALL."),
  cap_drop: capabilities("cap_drop").describe("Capabilities to take away, or ALL."),
  privileged: z.boolean().default(false).describe("Every capability and device, no filter, nothing masked."),
  no_new_privileges: z
    .boolean()
    .optional()
    .describe("Set-uid programs gain nothing. Default true, unless privileged."),
  seccomp,
  apparmor_profile: apparmorProfile.optional(),
  user_namespace: z
    .boolean()
    .default(false)
    .describe("The step's ids are other ones on the daemon's machine, where nobody has them."),
  devices,
  sysctls,
  annotations,

  pull: z
    .enum(["always", "if-not-present", "never"])
    .default("if-not-present")
    .describe("When to pull the image."),
  registry_auth: registryAuth.optional(),
  containerd_addr: text("an address", (value) => value !== "" && noNul(value))
    .optional()
    .describe("The daemon: /path, unix://, tcp://, http://, https://."),
  tls: tls.optional(),
  timeout: duration(positive).optional().describe("Limit of time: 30s, 5m."),
  timeout_ms: milliseconds(1).optional().describe("The same in milliseconds, instead of `timeout`."),
  stop_signal: stopSignal.optional(),
  stop_grace: duration().optional().describe("Between the stop signal and SIGKILL. Default 10s."),
  stop_grace_ms: milliseconds(0).optional().describe("The same in milliseconds, instead of `stop_grace`."),
  labels,
});

/** A parsed step file, with defaults. */
export type StepFile = z.output<typeof stepSchema>;
