import type { Spec } from "../core/spec/spec.js";
import type { Issue } from "../error.js";

/** What a runtime says, in the words of runc 1.0 to 1.3, when the daemon's machine cannot give what a step asks for. */
interface Rule {
  readonly says: RegExp;
  readonly field: string | ((match: RegExpExecArray) => string);
  readonly problem: string;
  readonly allowed: string;
}

const SYSCTL = /\/proc\/sys\/([\w./-]+): /;

/** On cgroup v1 each control is a file of its own; v2 has one for all limits of block devices. */
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
    problem: "the daemon's machine does not limit huge pages, or has none of that size",
    allowed: "none, or on a machine with the cgroup controller hugetlb the sizes in /sys/kernel/mm/hugepages",
  },
  {
    says: /blkio\.throttle\.(read|write)_(bps|iops)_device/,
    field: ([, way, unit]) => `device_${way}_${unit}`,
    problem: "the daemon's machine has no such block device",
    allowed: "block devices that it has, whole ones and no partitions",
  },
  {
    says: /\/io\.max/,
    field: "device_*",
    problem: "the daemon's machine has no such block device",
    allowed: "block devices that it has, whole ones and no partitions",
  },
  {
    says: /(?:blkio|io)\.(?:bfq\.)?weight/,
    field: "blkio_weight",
    problem: "the daemon's kernel does not weigh block I/O",
    allowed: "none on that machine",
  },
  {
    says: /memory\.(?:memsw|swap)/,
    field: "memory_swap",
    problem: "the daemon's kernel does not account for swap",
    allowed: "-1 on that machine: memory alone is limited there",
  },
  {
    says: /cannot set (\w+) limit: container could not join or create cgroup/,
    field: ([, controller]) => `the limits of ${controller}`,
    problem: "the daemon's machine does not have that cgroup controller",
    allowed: "none of them on that machine",
  },
  {
    says: /error setting rlimit/,
    field: "ulimits",
    problem: "the daemon's machine refuses these",
    allowed: "up to the hard limits of the daemon itself, unless it holds CAP_SYS_RESOURCE",
  },
  {
    says: /unable to apply (?:caps|bounding set)/,
    field: "cap_add",
    problem: "the daemon does not hold all of these capabilities itself",
    allowed: "those that it holds",
  },
  {
    says: SYSCTL,
    field: ([, path = ""]) => `sysctls.${path.replaceAll("/", ".")}`,
    problem: "the daemon's kernel has no such setting, or does not take this value",
    allowed: "what that kernel takes",
  },
  {
    says: /apparmor/i,
    field: "apparmor_profile",
    problem: "the daemon's machine has no AppArmor, or has not loaded this profile",
    allowed: "a profile in its /sys/kernel/security/apparmor/profiles",
  },
];

/** The runtime dies of it without a word. */
const OOM_SCORE: Rule = {
  says: /final child's PID from pipe: EOF/,
  field: "oom_score_adj",
  problem: "the daemon may not go that low",
  allowed: "what the daemon has itself, or more, unless it holds CAP_SYS_RESOURCE",
};

/** The runtime opens files of its own when the limit holds already. */
const OPEN_FILES: Rule = {
  says: /too many open files/,
  field: "ulimits",
  problem: "with so few open files the runtime cannot start the container",
  allowed: "a nofile of 64 or more",
};

/** The field of the step that the daemon's machine cannot follow; undefined when the runtime failed for another reason. */
export function findHostRefusal(text: string, { process }: Spec): Issue | undefined {
  // It names a path of the step's, which may have any of these words in it.
  if (/error mounting/.test(text)) return undefined;
  const { oomScoreAdj = 0, rlimits = [] } = process;
  const rules = [
    ...RULES,
    ...(oomScoreAdj < 0 ? [OOM_SCORE] : []),
    ...(rlimits.some(({ type }) => type === "RLIMIT_NOFILE") ? [OPEN_FILES] : []),
  ];
  for (const { says, field, problem, allowed } of rules) {
    const match = says.exec(text);
    if (match !== null)
      return { field: typeof field === "string" ? field : field(match), message: problem, allowed };
  }
  return undefined;
}
