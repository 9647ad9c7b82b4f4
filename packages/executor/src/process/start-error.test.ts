import { ContainerdError } from "@wfe-containerd/client";
import { expect, test } from "vitest";
import type { StepPlan } from "../core/plan/plan.js";
import { DEFAULT_RUNTIME } from "../core/plan/runtime.js";
import { startError } from "./start-error.js";

const plan = {
  args: ["prog"],
  programField: "command",
  workingDirField: "working_dir",
  mountFields: { "/y": "volumes", "/t": "tmpfs" },
  hasOwnSeccomp: false,
  container: {
    image: "img",
    runtime: DEFAULT_RUNTIME,
    spec: {
      process: { cwd: "/work/in" },
      root: { path: "rootfs" },
      mounts: [{ destination: "/work", type: "bind", source: "/w", options: ["rbind", "ro"] }],
    },
  },
} as unknown as StepPlan;

const LOG =
  "OCI runtime create failed: unable to retrieve OCI runtime error (open /b/log.json: no such file)";

// The runtime's name is not a program of the image, and a file of its bundle not a path of the step.
test.each([
  [
    { binary: "crun" },
    `${LOG}: exec: "crun": executable file not found in $PATH: unknown`,
    "the program crun",
  ],
  [
    { binary: "/x/runsc" },
    `${LOG}: fork/exec /x/runsc: no such file or directory: unknown`,
    "the program /x/runsc",
  ],
  [
    { type: "io.containerd.runsc.v1" },
    'failed to start shim: failed to resolve runtime path: runtime "io.containerd.runsc.v1" binary not installed',
    "the shim io.containerd.runsc.v1",
  ],
])("a runtime that is missing is told: %j", (runtime, message, named) => {
  const container = { ...plan.container, runtime: { ...DEFAULT_RUNTIME, ...runtime } };
  expect(startError(new Error(message), { ...plan, container })).toMatchObject({
    kind: "refused",
    issues: [{ field: "runtime", message: expect.stringContaining(named) }],
  });
});

// Messages of runc 1.0, 1.1 and crun.
test.each([
  [
    "command-not-found",
    'OCI runtime create failed: runc create failed: unable to start container process: exec: "prog": executable file not found in $PATH: unknown',
  ],
  [
    "command-not-found",
    'unable to start container process: error during container init: exec: "/no/prog": stat /no/prog: no such file or directory: unknown',
  ],
  [
    "command-not-executable",
    'unable to start container process: exec: "/etc/passwd": permission denied: unknown',
  ],
  [
    "command-not-executable",
    "unable to start container process: error during container init: exec /bin/prog: exec format error",
  ],
  ["command-not-executable", 'exec: "/bin": is a directory: unknown'],
  ["io", "failed to create shim task: stat /io/x/stdout: no such file or directory"],
  ["runtime", 'error mounting "/x" to rootfs at "/dev": stat /x: no such file or directory: unknown'],
])("%s: %s", (kind, message) => {
  expect(startError(new Error(message), plan)).toMatchObject({ kind, cause: { message } });
});

test.each(["unavailable", "deadline-exceeded"] as const)(
  "a daemon that is away (%s) stays so, whatever words its address has in it",
  (kind) => {
    const message = "there is no socket /run/stdout/apparmor/x: no such file or directory";
    const reason = new ContainerdError(message, { kind });
    expect(startError(reason, plan)).toMatchObject({ kind: "daemon-unavailable", message, cause: reason });
  },
);

// Messages of runc on cgroup v1 and v2. Not every machine can produce those about cgroups, AppArmor and swap
// accounting.
test.each([
  [
    "cpuset_cpus",
    'unable to apply cgroup configuration: failed to write "0-99": write /sys/fs/cgroup/cpuset/n/id/cpuset.cpus: numerical result out of range',
  ],
  ["cpuset_mems", 'failed to write "5": write /sys/fs/cgroup/cpuset/n/id/cpuset.mems: invalid argument'],
  ["hugepages", "cannot set hugetlb limit: container could not join or create cgroup: unknown"],
  ["device_write_iops", "write /sys/fs/cgroup/blkio/n/id/blkio.throttle.write_iops_device: no such device"],
  ["device_*", 'failed to write "8:99 rbps=1": write /sys/fs/cgroup/n/id/io.max: no such device'],
  ["blkio_weight", "open /sys/fs/cgroup/blkio/n/id/blkio.bfq.weight: no such file or directory"],
  ["memory_swap", "open /sys/fs/cgroup/memory/n/id/memory.memsw.limit_in_bytes: no such file or directory"],
  ["the limits of pids", "cannot set pids limit: container could not join or create cgroup"],
  [
    "ulimits",
    "error setting rlimits for ready process: error setting rlimit type 7: operation not permitted",
  ],
  ["cap_add", "unable to start container process: unable to apply caps: operation not permitted: unknown"],
  [
    "sysctls.net.foo.bar",
    "error during container init: open /proc/sys/net/foo/bar: no such file or directory",
  ],
  [
    "apparmor_profile",
    "unable to start container process: error during container init: unable to apply apparmor profile: apparmor failed to apply profile: write /proc/self/attr/apparmor/exec: no such file or directory: unknown",
  ],
])("the daemon's machine refuses %s: %s", (field, message) => {
  expect(startError(new Error(message), plan)).toMatchObject({
    kind: "refused",
    issues: [{ field }],
    message: expect.stringContaining(message),
  });
});

// Messages of runc 1.1 and 1.2.
test.each([
  [
    "volumes",
    'error mounting "/x" to rootfs at "/y": stat /x: no such file or directory: unknown',
    "the daemon's machine has no /x",
  ],
  [
    "volumes",
    'error mounting "/x" to rootfs at "/y": mount /x:/y (via /proc/self/fd/6), flags: 0x5000: not a directory: Are you trying to mount a directory onto a file (or vice-versa)? Check if the specified host path exists and is the expected type: unknown',
    "nor a file on a directory: /x on /y",
  ],
  [
    "volumes",
    'error mounting "/x" to rootfs at "/y": create mountpoint for /y mount: make mountpoint "/y": not a directory: unknown',
    "/y is a file in the container",
  ],
  [
    "tmpfs",
    'error mounting "ramfs" to rootfs at "/t": mkdir /r/rootfs/t: not a directory: unknown',
    "/t is a file",
  ],
  [
    "tmpfs",
    'error mounting "ramfs" to rootfs at "/t": something else: unknown',
    "nothing can be mounted on /t",
  ],
  ["working_dir", "error during container init: mkdir /work: not a directory: unknown", "it is a file"],
  ["working_dir", "error during container init: mkdir /work/in: read-only file system", "cannot be made"],
  [
    "working_dir",
    'error during container init: chdir to cwd ("/work/in") set in config.json failed: permission denied: unknown',
    "the step's user may not enter it",
  ],
])("the field %s is named: %s", (field, said, message) => {
  expect(startError(new Error(said), plan)).toMatchObject({
    kind: "refused",
    issues: [{ field, message: expect.stringContaining(message) }],
  });
});

// Seen when the disk with containerd's snapshots was full: overlayfs is then mounted read-only.
test.each([
  ['error mounting "/x" to rootfs at "/y": mkdir /r/rootfs/y: no space left on device: unknown', "no space"],
  [
    'error mounting "/x" to rootfs at "/y": mkdir /r/rootfs/y: read-only file system: unknown',
    "disk was full",
  ],
  ["error during container init: mkdir /work/in: no space left on device: unknown", "no space"],
])("a full disk of the daemon is no fault of the step's: %s", (said, message) => {
  expect(startError(new Error(said), plan)).toMatchObject({
    kind: "runtime",
    issues: [],
    message: expect.stringContaining(message),
  });
});

test("a working directory is not made on a root file system that only the machine has made read-only", () => {
  const said = "error during container init: mkdir /work/in: read-only file system: unknown";
  const { mounts: _, ...spec } = plan.container.spec;
  const writable = { ...plan, container: { ...plan.container, spec: { ...spec, mounts: [] } } };
  expect(startError(new Error(said), writable)).toMatchObject({ kind: "runtime" });
  const readOnly = { ...spec, mounts: [], root: { path: "rootfs", readonly: true } };
  expect(
    startError(new Error(said), { ...plan, container: { ...plan.container, spec: readOnly } }),
  ).toMatchObject({
    kind: "refused",
    issues: [{ field: "working_dir" }],
  });
});

test("what a path of the step's is called decides nothing", () => {
  for (const name of ["/data/hugetlb", '/exec: \\"x\\" permission denied', "/: not a directory"]) {
    const message = `error mounting "${name}" to rootfs at "/y": no such file or directory: unknown`;
    expect(startError(new Error(message), plan)).toMatchObject({
      kind: "refused",
      issues: [{ field: "volumes", message: expect.stringContaining("the daemon's machine has no ") }],
    });
  }
});

// The messages depend on when the kernel ends the runtime's last process.
test.each([
  "start the task: cannot start a stopped process: unknown",
  "runc create failed: unable to start container process: read init-p: connection reset by peer: unknown",
  'runc create failed: unable to start container process: error during container init: writing syncT "procRun": write init-p: broken pipe: unknown',
])("a step without any CPU time is refused, whatever the runtime says: %s", (message) => {
  const process = { ...plan.container.spec.process, rlimits: [{ type: "RLIMIT_CPU", soft: 0, hard: 0 }] };
  const container = { ...plan.container, spec: { ...plan.container.spec, process } } as StepPlan["container"];
  expect(startError(new Error(message), { ...plan, container })).toMatchObject({
    kind: "refused",
    issues: [{ field: "ulimits", message: expect.stringContaining("cpu is so low") }],
  });
});
