/** One attempt of `probe.pl`, and its outcome for each way to run the step. */
export interface Attempt {
  readonly attempt: string;
  /** As the user 65534, the default. */
  readonly default: Outcomes;
  /** As root in the container. Any step may ask for this. */
  readonly root: Outcomes;
  /** As root with all privileges. Only an operator's policy allows this. */
  readonly privileged: Outcomes;
  /**
   * Which machines lack what is tried; the outcome is `absent` there. In a row without this, `absent` is
   * wrong, since the attempt showed nothing.
   */
  readonly absentWhere?: string;
}

/** One outcome, or several if kernels differ. */
export type Outcomes = string | readonly string[];

export type Profile = "default" | "root" | "privileged";
export const PROFILES: readonly Profile[] = ["default", "root", "privileged"];

function row(attempt: string, ...[user, root, privileged]: [Outcomes, Outcomes, Outcomes]): Attempt {
  return { attempt, default: user, root, privileged };
}

/** The seccomp filter refuses it, also for root. Privileged steps may do it, if the kernel supports it. */
function filtered(attempt: string): Attempt {
  return row(attempt, "EPERM", "EPERM", ["allowed", "ENOSYS"]);
}

/** Needs a capability that root has. */
function rootOnly(attempt: string): Attempt {
  return row(attempt, "EPERM", "allowed", "allowed");
}

/** The same outcome in all three cases. */
function always(attempt: string, outcome: string): Attempt {
  return row(attempt, outcome, outcome, outcome);
}

/** Some machines do not have what is tried. */
function unless(absentWhere: string, attempt: Attempt): Attempt {
  return { ...attempt, absentWhere };
}

const DEVICES = "full null ptmx random tty urandom zero";

export const ATTEMPTS: readonly Attempt[] = [
  always("descriptors besides the standard ones", "0"),

  filtered("mount a tmpfs"),
  filtered("unmount"),
  filtered("unshare a user namespace"),
  filtered("unshare a mount namespace"),
  filtered("unshare a network namespace"),
  filtered("join a namespace"),
  rootOnly("chroot"),
  filtered("set the host's name"),

  filtered("load a module"),
  filtered("load a kernel"),
  filtered("reboot"),
  filtered("swap"),
  filtered("set the clock"),
  filtered("process accounting"),
  filtered("read the kernel's log"),
  unless("the processor is no x86", filtered("raise the I/O privilege")),
  filtered("load a BPF program"),
  filtered("count performance events"),
  filtered("open by handle"),
  filtered("quotas"),
  filtered("keyrings"),
  filtered("add a key"),
  filtered("userfaultfd"),
  filtered("io_uring"),
  filtered("turn off address randomisation"),

  rootOnly("set groups"),
  rootOnly("give a file away"),
  row("a set-uid program", "keeps its user", "was root", "was root"),

  // Root may create the node but not open it. Other users may not create it.
  row("a block device of the host's", "EPERM", "EPERM", "allowed"),
  row("the kernel's log as a device", "EPERM", "EPERM", "allowed"),
  row("the machine's memory", "EPERM", "EPERM", ["allowed", "EPERM"]),
  always("devices in /dev", DEVICES),

  row("write to /proc/sys", ["EACCES", "EROFS"], "EROFS", "allowed"),
  row("write to /proc/irq", ["EACCES", "EROFS"], "EROFS", "allowed"),
  unless(
    "the kernel has no CONFIG_MAGIC_SYSRQ",
    row("write to the magic system request", ["EACCES", "EROFS"], "EROFS", "allowed"),
  ),
  row("write to /sys", ["EACCES", "EROFS"], "EROFS", "allowed"),
  row("write to a cgroup", ["EACCES", "EROFS"], "EROFS", "allowed"),
  unless("the kernel has no CONFIG_PROC_KCORE", row("/proc/kcore", "empty", "empty", "readable")),
  row("/proc/keys", "empty", "empty", ["readable", "empty"]),
  row("/proc/timer_list", "empty", "empty", "readable"),
  row("/proc/interrupts", "empty", "empty", "readable"),
  row("/sys/firmware", "empty", "empty", ["readable", "empty"]),
  row("lower the out-of-memory score", "EACCES", "EACCES", ["allowed", "EACCES"]),

  always("processes seen", "its own"),
  always("the cgroup's path", "hidden"),
  unless("Yama leaves all of it to administrators", always("trace a child", "allowed")),
  row("trace a process that is not dumpable", "EPERM", "EPERM", "allowed"),
  always("trace a process of the host's", "ESRCH"),

  always("interfaces", "loopback"),
  rootOnly("a raw socket"),
  rootOnly("a packet socket"),
  row("a socket of AF_ALG", "EPERM", "EPERM", "allowed"),
  row("a socket of AF_VSOCK", "EPERM", "EPERM", "allowed"),
  row("a socket of AF_ALG in disguise", "EPERM", "EPERM", "allowed"),
  always("the host's loopback", "ECONNREFUSED"),
  always("an abstract socket of the host's", "ECONNREFUSED"),

  always("fork past the limit", "EAGAIN"),
  always("eat memory past the limit", "killed"),
];

/** @returns a line for each difference between a probe's output and the table; empty when they agree. */
export function compareProbe(output: string, profile: Profile): string[] {
  const seen = new Map(
    output
      .trimEnd()
      .split("\n")
      .map((line) => line.split("\t") as [string, string]),
  );
  const wrong = ATTEMPTS.flatMap(({ attempt, [profile]: outcomes, absentWhere }) => {
    const outcome = seen.get(attempt);
    const expected = [outcomes, absentWhere === undefined ? [] : "absent"].flat();
    if (outcome !== undefined && expected.includes(outcome)) return [];
    return [`${attempt}: ${outcome ?? "not tried"}, and not ${expected.join(" or ")}`];
  });
  const unknown = [...seen.keys()].filter((attempt) => !ATTEMPTS.some((row) => row.attempt === attempt));
  return [...wrong, ...unknown.map((attempt) => `${attempt}: not in the table`)];
}
