import { STEP_FIELDS, type StepField, type StepFieldFlag } from "@wfe-containerd/executor";
import { type Command, Option } from "commander";
import { addOtherFlags } from "./docker-other-flags.js";
import { collect } from "./transfer.js";

/** The flags of `run`, with docker's names. */
export interface DockerFlags {
  readonly name: string;
  readonly env?: readonly string[];
  readonly envFile?: readonly string[];
  readonly entrypoint?: string;
  readonly workdir?: string;
  readonly user?: string;
  readonly groupAdd?: readonly string[];
  readonly init?: boolean;
  readonly volume?: readonly string[];
  readonly cache?: readonly string[];
  readonly tmpfs?: readonly string[];
  readonly mount?: readonly string[];
  readonly readOnly?: boolean;
  readonly shmSize?: string;
  readonly network: "none" | "bridge" | "host";
  readonly net?: DockerFlags["network"];
  readonly hostname?: string;
  readonly addHost?: readonly string[];
  readonly dns?: readonly string[];
  readonly dnsSearch?: readonly string[];
  readonly dnsOption?: readonly string[];
  readonly dnsOpt?: readonly string[];
  readonly memory?: string;
  readonly memorySwap?: string;
  readonly memoryReservation?: string;
  readonly cpus?: string;
  readonly cpuQuota?: string;
  readonly cpuPeriod?: string;
  readonly cpuShares?: string;
  readonly cpusetCpus?: string;
  readonly cpusetMems?: string;
  readonly pidsLimit?: string;
  readonly blkioWeight?: string;
  readonly deviceReadBps?: readonly string[];
  readonly deviceWriteBps?: readonly string[];
  readonly deviceReadIops?: readonly string[];
  readonly deviceWriteIops?: readonly string[];
  readonly hugepages?: readonly string[];
  readonly ulimit?: readonly string[];
  readonly oomScoreAdj?: string;
  readonly capAdd?: readonly string[];
  readonly capDrop?: readonly string[];
  readonly privileged?: boolean;
  readonly securityOpt?: readonly string[];
  readonly runtime?: string;
  readonly userns: "host" | "private";
  readonly device?: readonly string[];
  readonly sysctl?: readonly string[];
  readonly annotation?: readonly string[];
  readonly pull: "always" | "missing" | "never";
  readonly label?: readonly string[];
  readonly labelFile?: readonly string[];
  readonly platform?: string;
  readonly quiet?: boolean;
  readonly cidfile?: string;
  readonly timeout?: string;
  readonly stopSignal?: string;
  readonly stopTimeout?: string;
  readonly retry?: string;
}

/** Flags of `run` that set no field of their own, by the field whose flag they follow in the help. */
const FURTHER_FLAGS: Readonly<Record<string, readonly StepFieldFlag[]>> = {
  env: [
    { usage: "--env-file <file>", help: "file with environment variables, one a line", repeatable: true },
  ],
  caches: [
    {
      usage: "--mount <type=bind,source=path,target=path,readonly>",
      help: "bind, volume or tmpfs, as in docker",
      repeatable: true,
    },
  ],
  cpu: [
    {
      usage: "--cpu-quota <microseconds>",
      help: "CPU time in each period, in microseconds; -1 for no limit",
    },
    { usage: "--cpu-period <microseconds>", help: "length of a period, in microseconds (default: 100000)" },
  ],
  seccomp: [
    {
      usage: "--security-opt <option>",
      help: "seccomp=unconfined, seccomp=FILE, apparmor=PROFILE, no-new-privileges[=false]",
      repeatable: true,
    },
  ],
  pull: [
    {
      usage: "--platform <os/arch>",
      help: "platform of the image: only the platform of the daemon's machine can run",
    },
    { usage: "-q, --quiet", help: "do not show the progress of the pull" },
  ],
  labels: [
    { usage: "--label-file <file>", help: "file with labels, one a line", repeatable: true },
    { usage: "--cidfile <file>", help: "file to write the container's id to" },
  ],
};

/** Headings in the help, by the field whose flag is the first below it. */
const HEADINGS: Readonly<Record<string, string>> = {
  name: "Process:",
  pull: "Image, time and labels:",
  volumes: "Files:",
  network: "Network:",
  memory: "Limits:",
  cap_add: "Isolation:",
};

/** Docker's second names for some flags. The help does not show them. */
const OTHER_NAMES: readonly StepFieldFlag[] = [
  { usage: "--net <network>", choices: ["none", "bridge", "host"] },
  { usage: "--dns-opt <option>", repeatable: true },
];

/** Adds docker's flags to a command: those of the fields, as the executor declares them, and some more. */
export function addDockerFlags(command: Command): Command {
  // As in docker, -h is the host name and not help.
  command.addHelpOption(new Option("--help", "show this help").helpGroup("Other:"));
  for (const [field, text] of Object.entries(STEP_FIELDS)) {
    const { flag } = text;
    const heading = HEADINGS[field];
    if (heading !== undefined) command.optionsGroup(heading);
    if (flag !== undefined && typeof flag !== "string") command.addOption(optionOf(flag, helpOf(flag, text)));
    for (const further of FURTHER_FLAGS[field] ?? [])
      command.addOption(optionOf(further, further.help ?? ""));
  }
  for (const other of OTHER_NAMES) command.addOption(optionOf(other, "").hideHelp());
  addOtherFlags(command);
  return command;
}

function optionOf({ usage, repeatable, choices, default: standard }: StepFieldFlag, help: string): Option {
  const option = new Option(usage, help);
  if (repeatable === true) option.argParser(collect);
  if (choices !== undefined) option.choices(choices);
  return standard === undefined ? option : option.default(standard);
}

/** Returns the help of a flag: its own, or the field's summary, example and default. */
function helpOf({ help }: StepFieldFlag, { summary, examples = [], default: standard }: StepField): string {
  if (help !== undefined) return help;
  const [example] = examples;
  const end = standard === undefined ? "" : ` (default: ${standard})`;
  return `${firstSmall(summary)}${example === undefined ? "" : `; example: ${example}`}${end}`.replaceAll(
    "`",
    "",
  );
}

/** Returns a sentence with a small first letter, unless its first word is an abbreviation: CPU. */
function firstSmall(sentence: string): string {
  return /^[A-Z][a-z]/.test(sentence) ? `${sentence[0]?.toLowerCase()}${sentence.slice(1)}` : sentence;
}
