import { parseStep } from "@wfe-containerd/executor";
import { Command } from "commander";
import { describe, expect, test } from "vitest";
import { addDockerFlags, type DockerFlags } from "./docker-flags.js";
import { takeDockerSpelling } from "./docker-spelling.js";
import { toStep } from "./docker-step.js";
import { UsageError } from "./failure.js";

/** Parses arguments as `run` does. */
function parse(...args: string[]): { flags: DockerFlags; rest: readonly string[] } {
  const command = addDockerFlags(new Command("run").argument("<image>").argument("[command...]"))
    .option("--rm")
    .option("-d, --detach")
    .option("-i, --interactive")
    .option("-t, --tty")
    .option("--detach-keys <keys>")
    .passThroughOptions()
    .exitOverride()
    .configureOutput({ writeErr: () => undefined, writeOut: () => undefined });
  takeDockerSpelling(command, { passesThrough: true });
  command.parse(args, { from: "user" });
  return { flags: command.opts<DockerFlags>(), rest: command.args };
}

/**
 * Every flag in `docker run --help` of docker 28 and its hidden flags, a value, and what we do with the flag.
 */
const DOCKER_FLAGS: readonly (readonly [
  flags: string,
  value: string | undefined,
  outcome: "taken" | "instead",
])[] = [
  ["--add-host", "db:10.0.0.1", "taken"],
  ["--annotation", "a=b", "taken"],
  ["-a --attach", "stdout", "instead"],
  ["--blkio-weight", "100", "taken"],
  ["--blkio-weight-device", "/dev/sda:100", "instead"],
  ["--cap-add", "NET_ADMIN", "taken"],
  ["--cap-drop", "ALL", "taken"],
  ["--cgroup-parent", "/x", "instead"],
  ["--cgroupns", "host", "instead"],
  ["--cgroupns", "private", "taken"],
  ["--cidfile", "/tmp/cid", "taken"],
  ["--cpu-count", "1", "instead"],
  ["--cpu-percent", "50", "instead"],
  ["--cpu-period", "50000", "taken"],
  ["--cpu-quota", "50000", "taken"],
  ["--cpu-rt-period", "1000", "instead"],
  ["--cpu-rt-runtime", "1000", "instead"],
  ["-c --cpu-shares", "512", "taken"],
  ["--cpus", "1", "taken"],
  ["--cpuset-cpus", "0", "taken"],
  ["--cpuset-mems", "0", "taken"],
  ["-d --detach", undefined, "taken"],
  ["--detach-keys", "ctrl-x", "taken"],
  ["--device", "/dev/fuse", "taken"],
  ["--device-cgroup-rule", "c 1:3 rwm", "instead"],
  ["--device-read-bps", "8:0:1m", "taken"],
  ["--device-read-iops", "8:0:100", "taken"],
  ["--device-write-bps", "8:0:1m", "taken"],
  ["--device-write-iops", "8:0:100", "taken"],
  ["--disable-content-trust", undefined, "taken"],
  ["--dns", "1.1.1.1", "taken"],
  ["--dns-opt", "ndots:1", "taken"],
  ["--dns-option", "ndots:1", "taken"],
  ["--dns-search", "example.com", "taken"],
  ["--domainname", "example.com", "instead"],
  ["--entrypoint", "/bin/sh", "taken"],
  ["-e --env", "A=b", "taken"],
  ["--env-file", "/dev/null", "taken"],
  ["--expose", "80", "taken"],
  ["--gpus", "all", "instead"],
  ["--group-add", "7", "taken"],
  ["--health-cmd", "true", "instead"],
  ["--health-interval", "5s", "instead"],
  ["--health-retries", "3", "instead"],
  ["--health-start-interval", "5s", "instead"],
  ["--health-start-period", "5s", "instead"],
  ["--health-timeout", "5s", "instead"],
  ["-h --hostname", "host", "taken"],
  ["--init", undefined, "taken"],
  ["-i --interactive", undefined, "taken"],
  ["--io-maxbandwidth", "1m", "instead"],
  ["--io-maxiops", "1", "instead"],
  ["--ip", "172.30.100.104", "instead"],
  ["--ip6", "2001:db8::33", "instead"],
  ["--ipc", "host", "instead"],
  ["--isolation", "hyperv", "instead"],
  ["--isolation", "default", "taken"],
  ["--kernel-memory", "1g", "instead"],
  ["-l --label", "a=b", "taken"],
  ["--label-file", "/dev/null", "taken"],
  ["--link", "db:db", "instead"],
  ["--link-local-ip", "169.254.1.1", "instead"],
  ["--log-driver", "syslog", "instead"],
  ["--log-driver", "none", "taken"],
  ["--log-opt", "max-size=1m", "instead"],
  ["--mac-address", "92:d0:c6:0a:29:33", "instead"],
  ["-m --memory", "64m", "taken"],
  ["--memory-reservation", "32m", "taken"],
  ["--memory-swap", "-1", "taken"],
  ["--memory-swappiness", "60", "instead"],
  ["--memory-swappiness", "-1", "taken"],
  ["--mount", "type=bind,source=/a,target=/b", "taken"],
  ["--name", "n", "taken"],
  ["--net", "host", "taken"],
  ["--net-alias", "db", "instead"],
  ["--network", "bridge", "taken"],
  ["--network-alias", "db", "instead"],
  ["--no-healthcheck", undefined, "taken"],
  ["--oom-kill-disable", undefined, "instead"],
  ["--oom-score-adj", "500", "taken"],
  ["--pid", "host", "instead"],
  ["--pids-limit", "10", "taken"],
  ["--platform", "linux/amd64", "taken"],
  ["--privileged", undefined, "taken"],
  ["-p --publish", "8080:80", "instead"],
  ["-P --publish-all", undefined, "instead"],
  ["--pull", "never", "taken"],
  ["-q --quiet", undefined, "taken"],
  ["--read-only", undefined, "taken"],
  ["--restart", "no", "taken"],
  ["--restart", "always", "instead"],
  ["--rm", undefined, "taken"],
  ["--security-opt", "no-new-privileges", "taken"],
  ["--shm-size", "1m", "taken"],
  ["--sig-proxy", undefined, "taken"],
  ["--stop-signal", "SIGINT", "taken"],
  ["--stop-timeout", "5", "taken"],
  ["--storage-opt", "size=1g", "instead"],
  ["--sysctl", "net.ipv4.ip_forward=1", "taken"],
  ["--tmpfs", "/t", "taken"],
  ["-t --tty", undefined, "taken"],
  ["--ulimit", "nofile=10", "taken"],
  ["--use-api-socket", undefined, "instead"],
  ["-u --user", "0", "taken"],
  ["--userns", "host", "taken"],
  ["--uts", "host", "instead"],
  ["-v --volume", "/a:/b", "taken"],
  ["--volume-driver", "nfs", "instead"],
  ["--volumes-from", "other", "instead"],
  ["-w --workdir", "/w", "taken"],
];

const SPELLINGS = DOCKER_FLAGS.flatMap(([flags, value, outcome]) =>
  flags.split(" ").flatMap((flag): [string[], typeof outcome][] => [
    [value === undefined ? [flag] : [flag, value], outcome],
    [[`${flag}=${value ?? "true"}`], outcome],
  ]),
);

describe("each flag of docker run is taken, or answered with what to do instead", () => {
  test.each(SPELLINGS)("%j: %s", async (args, outcome) => {
    if (outcome === "instead") {
      const flag = args[0]?.replace(/=.*/s, "") ?? "";
      const long = DOCKER_FLAGS.find(([flags]) => flags.split(" ").includes(flag))?.[0]
        .split(" ")
        .at(-1);
      expect(() => parse(...args, "busybox")).toThrow(UsageError);
      expect(() => parse(...args, "busybox")).toThrow(new RegExp(`^${long}: .{20,}`));
      return;
    }
    const { flags, rest } = parse(...args, "busybox", "true", "--rm=no");
    expect(rest).toEqual(["busybox", "true", "--rm=no"]);
    parseStep(await toStep("busybox", [], flags));
  });
});

describe("docker's spellings", () => {
  test.each<[string[], object]>([
    [["--init=true"], { init: true }],
    [["--init=1"], { init: true }],
    [["--init=false"], { init: undefined }],
    [["--read-only=F"], { readOnly: undefined }],
    [["--privileged=false", "--rm=true"], { privileged: undefined }],
    [["-m=64m"], { memory: "64m" }],
    [["-m64m"], { memory: "64m" }],
    [["--memory", "0"], { memory: undefined }],
    [["-m", "0b", "--memory-swap=0", "--memory-reservation", "0m", "--shm-size=0"], { memory: undefined }],
    [["--cpus", "0", "--cpu-shares=0", "--blkio-weight", "0"], { cpu: undefined, cpuShares: undefined }],
    [["--cpu-period=0", "--cpu-quota=0"], { cpu: undefined }],
    [["--tmpfs", "/t:mode=01777"], { tmpfs: ["/t:mode=1777"] }],
    [["--mount", "type=tmpfs,dst=/t,tmpfs-mode=01777"], { tmpfs: ["/t:mode=1777"] }],
    [["-qe", "A=b", "-e=C=d", "-eE=f=g"], { env: { A: "b", C: "d", E: "f=g" } }],
    [["-w", "-odd", "--user=0"], { user: "0", workingDir: "-odd" }],
    [["--security-opt", "seccomp=builtin"], { seccomp: "default" }],
  ])("%j", async (args, expected) => {
    const { flags, rest } = parse(...args, "busybox", "-m=5");
    expect(rest).toEqual(["busybox", "-m=5"]);
    expect(await toStep("busybox", [], flags)).toMatchObject(expected);
  });

  test("switches may be written together", () => {
    for (const word of ["-it", "-ti", "-itd"])
      expect(parse(word, "busybox").flags).toMatchObject({ interactive: true, tty: true });
  });

  test.each([
    [["--rm=false"], /^--rm=false: a step's container is always removed/],
    [["--sig-proxy=false"], /^--sig-proxy=false: /],
    [["--disable-content-trust=false"], /^--disable-content-trust=false: /],
    [["--init=perhaps"], /^--init: "perhaps" is not allowed; allowed: true, false/],
    [["-dp", "80:80"], /^--publish: /],
  ])("%j is answered with what to do instead", (args, message) => {
    expect(() => parse(...args, "busybox")).toThrow(message);
  });
});
