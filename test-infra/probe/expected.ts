/** What `probe.pl` must find, by the way a step is run. */
export interface Attempt {
  readonly attempt: string;
  /** As the user 65534, which is what a step gets that says nothing. */
  readonly default: Outcomes;
  /** As root in the container, which any step may ask for. */
  readonly root: Outcomes;
  /** As root with everything, which only an operator's policy allows. */
  readonly privileged: Outcomes;
  /** Which machines do not have what is tried: there it is `absent`. On any other row that is wrong, for nothing was shown. */
  readonly absentWhere?: string;
}

/** One outcome, or those that differ from one kernel to the next. */
export type Outcomes = string | readonly string[];

export type Profile = "default" | "root" | "privileged";
export const PROFILES: readonly Profile[] = ["default", "root", "privileged"];

function row(attempt: string, ...[user, root, privileged]: [Outcomes, Outcomes, Outcomes]): Attempt {
  return { attempt, default: user, root, privileged };
}

/** Fails by the filter, as it does for root; privileged gets past it, as far as the kernel has such a thing. */
function filtered(attempt: string): Attempt {
  return row(attempt, "EPERM", "EPERM", ["allowed", "ENOSYS"]);
}

/** Fails by the missing capability, which root has. */
function rootOnly(attempt: string): Attempt {
  return row(attempt, "EPERM", "allowed", "allowed");
}

/** The same for all. */
function always(attempt: string, outcome: string): Attempt {
  return row(attempt, outcome, outcome, outcome);
}

/** Tried where the machine has it. */
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

  // Root may make the node, and then not open it; another user may not make it.
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

/** What a probe's output says that the table does not, one line each; empty when they agree. */
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
