import type { SeccompCondition, SeccompProfile, SeccompRule } from "./seccomp.js";
import { ALLOWED_SYSCALLS } from "./seccomp-syscalls.js";

const EPERM = 1;
const ENOSYS = 38;

const AF_ALG = 38;
const AF_VSOCK = 40;
/** The highest address family, AF_MCTP. */
const AF_LAST = 45;

/** The flags of clone(2) that make namespaces: mount, cgroup, uts, ipc, user, pid, network. */
const NAMESPACE_FLAGS = 0x7e020000;

const ADMIN: SeccompCondition = { capabilities: ["CAP_SYS_ADMIN"] };
const S390: SeccompCondition = { architectures: ["s390", "s390x"] };

/** Architectures whose C libraries make sockets through `socketcall`. */
const SOCKETCALL: SeccompCondition = {
  architectures: ["386", "s390x", "s390", "ppc", "ppc64", "mips", "mipsle"],
};

function allow(names: string, rule: Omit<SeccompRule, "syscalls"> = {}): SeccompRule {
  return { syscalls: names.split(" "), ...rule };
}

function withCapability(name: string, names: string): SeccompRule {
  return allow(names, { when: { capabilities: [name] } });
}

function equal(index: number, value: number): SeccompRule["args"] {
  return [{ index, op: "SCMP_CMP_EQ", value }];
}

/** Matches if argument `index` has no flag that makes a namespace. */
function noNamespace(index: number): SeccompRule["args"] {
  return [{ index, op: "SCMP_CMP_MASKED_EQ", value: NAMESPACE_FLAGS, valueTwo: 0 }];
}

/**
 * Sockets of every address family except AF_ALG (the kernel's crypto) and AF_VSOCK (the way to a hypervisor).
 *
 * The kernel reads 32 bits of the family, a filter 64. Docker's rule "above AF_VSOCK" therefore allows the
 * family 2^32 + AF_ALG, of which the kernel makes an AF_ALG socket. So each family above AF_ALG has its own
 * rule here.
 *
 * On 32-bit x86, `socketcall` makes sockets too. It reads the family from memory, where no filter sees it.
 * Docker allows it. Here it fails for 32-bit programs on a 64-bit machine; those that know no other way
 * cannot make sockets.
 */
const SOCKETS: readonly SeccompRule[] = [
  allow("socket", { args: [{ index: 0, op: "SCMP_CMP_LT", value: AF_ALG }] }),
  ...Array.from({ length: AF_LAST - AF_ALG }, (_, i) => AF_ALG + 1 + i)
    .filter((family) => family !== AF_VSOCK)
    .map((family) => allow("socket", { args: equal(0, family) })),
  allow("socketcall", { when: SOCKETCALL }),
  allow("socketcall", { action: "SCMP_ACT_ERRNO", errno: ENOSYS, unless: SOCKETCALL }),
];

/**
 * PER_LINUX and PER_LINUX32, each also with UNAME26: execution domains that loosen nothing. The last value
 * asks for the present one.
 */
const PERSONALITIES: readonly number[] = [0x0, 0x8, 0x20000, 0x20008, 0xffffffff];

/**
 * Docker's default profile, except for {@link SOCKETS}, which are tighter here. Source: moby/profiles,
 * seccomp/default.json, of July 2026.
 */
export const DEFAULT_SECCOMP_PROFILE: SeccompProfile = {
  defaultAction: "SCMP_ACT_ERRNO",
  defaultErrno: EPERM,
  architectures: {
    amd64: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
    arm64: ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
    mips64: ["SCMP_ARCH_MIPS64", "SCMP_ARCH_MIPS", "SCMP_ARCH_MIPS64N32"],
    mips64le: ["SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL", "SCMP_ARCH_MIPSEL64N32"],
    s390x: ["SCMP_ARCH_S390X", "SCMP_ARCH_S390"],
    riscv64: ["SCMP_ARCH_RISCV64"],
    loong64: ["SCMP_ARCH_LOONGARCH64"],
  },
  rules: [
    { syscalls: ALLOWED_SYSCALLS },
    ...SOCKETS,
    ...PERSONALITIES.map((value) => allow("personality", { args: equal(0, value) })),

    // Before 4.8, a tracer could get around the filter.
    allow("process_vm_readv process_vm_writev ptrace", { when: { kernel: [4, 8] } }),

    allow("sync_file_range2 swapcontext", { when: { architectures: ["ppc64le"] } }),
    allow("arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls", {
      when: { architectures: ["arm", "arm64"] },
    }),
    allow("arch_prctl", { when: { architectures: ["amd64"] } }),
    allow("modify_ldt", { when: { architectures: ["amd64", "386"] } }),
    allow("s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr", { when: S390 }),
    allow("riscv_flush_icache", { when: { architectures: ["riscv64"] } }),

    // A filter cannot read clone3's argument, which is in memory. On ENOSYS, programs fall back to clone.
    allow("clone", { args: noNamespace(0), unless: { ...ADMIN, ...S390 } }),
    allow("clone", { args: noNamespace(1), when: S390, unless: ADMIN }),
    allow("clone3", { action: "SCMP_ACT_ERRNO", errno: ENOSYS, unless: ADMIN }),

    withCapability("CAP_DAC_READ_SEARCH", "open_by_handle_at"),
    withCapability(
      "CAP_SYS_ADMIN",
      "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr lsm_list_modules " +
        "lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd setdomainname " +
        "sethostname setns syslog umount umount2 unshare",
    ),
    withCapability("CAP_SYS_BOOT", "reboot"),
    withCapability("CAP_SYS_CHROOT", "chroot"),
    withCapability("CAP_SYS_MODULE", "delete_module init_module finit_module"),
    withCapability("CAP_SYS_PACCT", "acct"),
    withCapability(
      "CAP_SYS_PTRACE",
      "kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace",
    ),
    withCapability("CAP_SYS_RAWIO", "iopl ioperm"),
    withCapability("CAP_SYS_TIME", "settimeofday stime clock_settime clock_settime64"),
    withCapability("CAP_SYS_TTY_CONFIG", "vhangup"),
    withCapability("CAP_SYS_NICE", "get_mempolicy mbind set_mempolicy set_mempolicy_home_node"),
    withCapability("CAP_SYSLOG", "syslog"),
    withCapability("CAP_BPF", "bpf"),
    withCapability("CAP_PERFMON", "perf_event_open"),
  ],
};
