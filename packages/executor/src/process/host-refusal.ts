import type { StepPlan } from "../core/plan/plan.js";
import type { StepIssue } from "../error.js";

/**
 * One way in which a runtime reports that the daemon's machine cannot do what a step asks for. The texts are
 * those of runc 1.0 to 1.3.
 */
interface Rule {
  readonly says: RegExp;
  readonly field: string | ((match: RegExpExecArray) => string);
  readonly problem: string;
  readonly allowed: string;
}

const SYSCTL = /\/proc\/sys\/([\w./-]+): /;

/** cgroup v1 has one file for each control; v2 has one file for all limits of block devices. */
const RULES: readonly Rule[] = [
  {
    says: /cpuset\.cpus/,
    field: "cpuset_cpus",
    problem: "the daemon's machine does not have these CPUs",
    allowed: "CPUs that it has",
  },
  {
    says: /cpuset\.mems/,
    field: "cpuset_mems",
    problem: "the daemon's machine does not have these memory nodes",
    allowed: "nodes that it has",
  },
  {
    says: /hugetlb/,
    field: "hugepages",
    problem: "the daemon's machine cannot limit huge pages of that size",
    allowed:
      "the sizes in its /sys/kernel/mm/hugepages, where it has the cgroup controller hugetlb; elsewhere leave the field out",
  },
  {
    says: /blkio\.throttle\.(read|write)_(bps|iops)_device/,
    field: ([, way, unit]) => `device_${way}_${unit}`,
    problem: "the daemon's machine has no such block device",
    allowed: "whole block devices that it has, not partitions; lsblk shows their numbers",
  },
  {
    says: /\/io\.max/,
    field: "device_*",
    problem: "the daemon's machine has no such block device",
    allowed: "whole block devices that it has, not partitions; lsblk shows their numbers",
  },
  {
    says: /(?:blkio|io)\.(?:bfq\.)?weight/,
    field: "blkio_weight",
    problem: "the daemon's kernel has no weights for block I/O",
    allowed: "leave the field out for that machine",
  },
  {
    says: /memory\.(?:memsw|swap)/,
    field: "memory_swap",
    problem: "the daemon's kernel does not account for swap",
    allowed: "-1 on that machine, which then limits memory alone",
  },
  {
    says: /cannot set (\w+) limit: container could not join or create cgroup/,
    field: ([, controller]) => `the limits of ${controller}`,
    problem: "the daemon's machine does not have that cgroup controller",
    allowed: "leave them out for that machine",
  },
  {
    says: /error setting rlimit/,
    field: "ulimits",
    problem: "the daemon's machine refuses these limits",
    allowed: "up to the hard limits that the daemon itself has, unless it has CAP_SYS_RESOURCE",
  },
  {
    says: /unable to apply (?:caps|bounding set)/,
    field: "cap_add",
    problem: "the daemon itself does not have all of these capabilities",
    allowed: "capabilities that it has: CapBnd in /proc/PID/status of the daemon",
  },
  {
    says: SYSCTL,
    field: ([, path = ""]) => `sysctls.${path.replaceAll("/", ".")}`,
    problem: "the daemon's kernel has no such setting, or does not take this value",
    allowed: "settings and values that this kernel takes; sysctl -a lists them",
  },
  {
    says: /apparmor/i,
    field: "apparmor_profile",
    problem: "the daemon's machine has no AppArmor, or has not loaded this profile",
    allowed: "a profile in its /sys/kernel/security/apparmor/profiles",
  },
];

/** The runtime dies of this without a message. */
const OOM_SCORE: Rule = {
  says: /final child's PID from pipe: EOF/,
  field: "oom_score_adj",
  problem: "the daemon may not give a score that low",
  allowed: "the daemon's own score or more, unless it has CAP_SYS_RESOURCE",
};

/** The limit already applies to the runtime, which opens files of its own. */
const OPEN_FILES: Rule = {
  says: /too many open files/,
  field: "ulimits",
  problem: "nofile is so low that the runtime cannot start the container",
  allowed: "a nofile of 64 or more",
};

/** The runtime also needs memory of its own. */
const ADDRESS_SPACE: Rule = {
  says: /cannot allocate memory/,
  field: "ulimits",
  problem: "as or data is so low that the runtime cannot start the container",
  allowed: "1 GiB or more; or memory, which limits the step alone",
};

/** The runtime's last process, which would become the step's, ended by itself. */
const ENDED = /cannot start a stopped process/;
/** Without any time, it may end while the runtime still talks to it. */
const ENDED_EARLY = /init-p: (?:connection reset by peer|broken pipe)/;
const CPU_TIME: Rule = {
  says: new RegExp(`${ENDED.source}|${ENDED_EARLY.source}`),
  field: "ulimits",
  problem: "cpu is so low that the runtime cannot start the container",
  allowed: "a cpu of 1 second or more",
};
const SECCOMP: Rule = {
  says: ENDED,
  field: "seccomp",
  problem: "the profile stops the runtime before it starts the step's program",
  allowed:
    "a profile that allows what the runtime needs: at least execve, openat, read, write, close, futex and exit_group",
};

/**
 * The field of the step that the daemon's machine cannot provide. Undefined if the runtime failed for another
 * reason.
 */
export function findHostRefusal(text: string, { container, hasOwnSeccomp }: StepPlan): StepIssue | undefined {
  // Such a message contains a path of the step, which may contain any of these words.
  if (/error mounting/.test(text)) return undefined;
  const { oomScoreAdj = 0, rlimits = [] } = container.spec.process;
  const limits = (...names: string[]): boolean => rlimits.some(({ type }) => names.includes(type));
  const rules = [
    ...RULES,
    ...(oomScoreAdj < 0 ? [OOM_SCORE] : []),
    ...(limits("RLIMIT_NOFILE") ? [OPEN_FILES] : []),
    ...(limits("RLIMIT_AS", "RLIMIT_DATA") ? [ADDRESS_SPACE] : []),
    ...(limits("RLIMIT_CPU") ? [CPU_TIME] : []),
    ...(hasOwnSeccomp ? [SECCOMP] : []),
  ];
  for (const { says, field, problem, allowed } of rules) {
    const match = says.exec(text);
    if (match !== null)
      return { field: typeof field === "string" ? field : field(match), message: problem, allowed };
  }
  return undefined;
}
