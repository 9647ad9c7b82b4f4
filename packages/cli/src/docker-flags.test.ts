import { homedir } from "node:os";
import { dirname } from "node:path";
import { parseStep, type StepInput } from "@wfe-containerd/executor";
import { Command } from "commander";
import { describe, expect, test } from "vitest";
import { addDockerFlags, type DockerFlags } from "./docker-flags.js";
import { takeDockerSpelling } from "./docker-spelling.js";
import { toStep } from "./docker-step.js";
import { flagOf } from "./flag-names.js";

function parse(...args: string[]): Command {
  const command = addDockerFlags(new Command("run")).exitOverride();
  takeDockerSpelling(command, { passesThrough: true });
  return command.configureOutput({ writeErr: () => undefined }).parse(args, { from: "user" });
}

async function stepOf(...args: string[]): Promise<StepInput> {
  return toStep("busybox", ["true"], parse(...args).opts<DockerFlags>());
}

describe("docker's spellings", () => {
  test.each<[string[], object]>([
    [["--tmpfs", "/run:rw,noexec,nosuid,size=65536k"], { tmpfs: ["/run:noexec,size=65536k"] }],
    [["--tmpfs", "/run:rw", "--tmpfs", "/b"], { tmpfs: ["/run", "/b"] }],
    [
      ["--mount", "type=bind,source=/a,target=/b,readonly"],
      { volumes: [{ source: "/a", target: "/b", readonly: true }] },
    ],
    [
      ["--mount", "type=bind,src=/a,dst=/b,ro=false,bind-propagation=rslave"],
      { volumes: [{ source: "/a", target: "/b", readonly: false, propagation: "rslave" }] },
    ],
    [
      ["-v", "/c:/d", "--mount", "source=data,destination=/b"],
      { volumes: ["/c:/d", { source: "data", target: "/b", readonly: false }] },
    ],
    [["--mount", "type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1770"], { tmpfs: ["/t:size=1m,mode=1770"] }],
    [["--mount", "type=tmpfs,dst=/t"], { tmpfs: ["/t"] }],
    [["--mount", "type=tmpfs,dst=/t,readonly"], { tmpfs: ["/t:ro"] }],
    [["--mount", "type=tmpfs,dst=/t,tmpfs-size=1m,ro=true"], { tmpfs: ["/t:size=1m,ro"] }],
    [["--mount", "type=tmpfs,dst=/t,readonly=0"], { tmpfs: ["/t"] }],
    [
      ["--user", "", "--workdir=", "--network", "", "--pull=", "--userns="],
      { user: undefined, network: "none" },
    ],
    [
      ["--name=", "--hostname", "", "--stop-signal="],
      { name: "run", hostname: undefined, stopSignal: undefined },
    ],
    [["-v", "./src:/src"], { volumes: [`${process.cwd()}/src:/src`] }],
    [["-v", ".:/src:ro,z"], { volumes: [`${process.cwd()}:/src:ro`] }],
    [["-v", "../x:/x:Z"], { volumes: [`${dirname(process.cwd())}/x:/x`] }],
    [["-v=~/x:/x"], { volumes: [`${homedir()}/x:/x`] }],
    [["-v", "~:/x:cached"], { volumes: [`${homedir()}:/x`] }],
    [["-v", "/a:/b:delegated,ro"], { volumes: ["/a:/b:ro"] }],
    [["-v", "/a:/b:consistent"], { volumes: ["/a:/b"] }],
    [["-v", "data:/b:nocopy"], { volumes: ["data:/b"] }],
    [["-v", "/a:/b:rslave,z"], { volumes: ["/a:/b:rslave"] }],
    [
      ["--mount", 'type=bind,"source=/a,b",target=/b,readonly=T'],
      { volumes: [{ source: "/a,b", target: "/b", readonly: true }] },
    ],
    [
      ["--mount", 'type=BIND,"source=/a ""b"" c:d",destination=/b,consistency=cached,bind-recursive=enabled'],
      { volumes: [{ source: '/a "b" c:d', target: "/b", readonly: false }] },
    ],
    [
      ["--mount", "type=bind,src=./x,dst=/b,ro"],
      { volumes: [{ source: `${process.cwd()}/x`, target: "/b", readonly: true }] },
    ],
    [
      ["--mount", "type=bind,src=~/x,dst=/b"],
      { volumes: [{ source: `${homedir()}/x`, target: "/b", readonly: false }] },
    ],
    [
      ["--mount", "type=volume,src=v,dst=/b,volume-nocopy"],
      { volumes: [{ source: "v", target: "/b", readonly: false }] },
    ],
    [["--net", "bridge"], { network: "bridge" }],
    [["-h", "told"], { hostname: "told" }],
    [["--dns-option", "ndots:1", "--dns-opt", "rotate"], { dnsOptions: ["ndots:1", "rotate"] }],
    [["--stop-signal", "SIGUSR1"], { stopSignal: "SIGUSR1" }],
    [["--retry", "3"], { retry: { attempts: 3 } }],
    [
      ["--retry", "3,delay=10s,backoff=1.5,on=exit,on=oom"],
      { retry: { attempts: 3, delay: "10s", backoff: 1.5, on: ["exit", "oom"] } },
    ],
    [["--cpu-quota", "50000"], { cpu: 0.5 }],
    [["--cpu-period", "50000", "--cpu-quota", "100000"], { cpu: 2 }],
    [["--cpu-quota", "-1"], { cpu: undefined }],
    [["--cpus", "1.5"], { cpu: 1.5 }],
    [["--pids-limit", "0"], { pidsLimit: -1 }],
    [["--pids-limit", "-1"], { pidsLimit: -1 }],
    [["--pids-limit", "7"], { pidsLimit: 7 }],
    [[], { pidsLimit: undefined, cpu: undefined, network: "none", volumes: [], tmpfs: [] }],
  ])("%j", async (args, expected) => {
    const step = await stepOf(...args);
    expect(step).toMatchObject(expected);
    parseStep(step);
  });

  test.each([
    [
      ["--mount", "type=bind,source=/a,target=/b,bind-recursive=disabled"],
      /--mount: .*bind-recursive=disabled is not allowed/,
    ],
    [["--mount", "type=bind,source=/a,target=/b,bind-nonrecursive"], /--mount: bind-nonrecursive: /],
    [["--mount", "source=a,target=/b,volume-driver=nfs"], /--mount: volume-driver: /],
    [["--mount", "source=a,target=/b,volume-subpath=x"], /--mount: volume-subpath: /],
    [["--mount", 'type=bind,source=/a"b,target=/b'], /--mount: .*a quote/],
    [["--mount", 'type=bind,"source=/a,target=/b'], /--mount: .*a quote/],
    [["-v", "/data"], /--volume: "\/data" has no source; give the volume a name, -v NAME:\/data/],
    [["-v", "/a:/b:ro:z"], /--volume: .*--mount type=bind/],
    [["-v", "~root/x:/x"], /--volume: .*only ~\/ stands for/],
    [["--mount", "type=bind,source=a,target=/b"], /--mount: .*"a" is not a source for type=bind/],
    [["--mount", "type=volume,source=/a,target=/b"], /--mount: .*"\/a" is not a source for type=volume/],
    [["--mount", "type=bind,source=/a"], /--mount: .*target is missing/],
    [["--mount", "type=bind,target=/a"], /--mount: .*source is missing/],
    [["--mount", "type=npipe,source=/a,target=/b"], /--mount: .*"npipe" is an unknown type/],
    [["--mount", "type=tmpfs,source=/a,target=/b"], /--mount: .*source is not a key for type=tmpfs/],
    [
      ["--mount", "type=bind,source=/a,target=/b,readonly=perhaps"],
      /--mount: .*readonly=perhaps is not allowed/,
    ],
    [["--mount", "type=bind,source=/a,src=/a,target=/b"], /--mount: .*given twice/],
    [["--mount", "type=bind,source,target=/b"], /--mount: .*no value/],
    [
      ["--mount", "type=bind,source=/a,target=/b,volume-nocopy"],
      /--mount: .*volume-nocopy is not a key for type=bind/,
    ],
    [["--mount", "constructor=bind"], /--mount: .*"constructor" is an unknown key/],
    [["--cpus", "1", "--cpu-quota", "5"], /--cpus: .*together/],
    [["--cpu-period", "7"], /--cpu-period: /],
    [["--add-host=host.docker.internal:host-gateway"], /--add-host: .*--bridge-subnet/],
    [["--security-opt", "label=type:x"], /--security-opt: .*SELinux.*leave the option out/],
    [["--security-opt", "systempaths=unconfined"], /--security-opt: .*--privileged/],
    [["--mount", "type=tmpfs,dst=/t,readonly=perhaps"], /--mount: .*readonly=perhaps is not allowed/],
    [["--cpu-quota", "much"], /--cpu-quota: .*is not a number/],
    [["--pids-limit", "many"], /--pids-limit: .*is not a number/],
    [
      ["--retry", "often"],
      /--retry: "often" does not begin with a number of attempts; .*3,delay=10s,on=exit/,
    ],
    [["--retry", "3,exit"], /--retry: "3,exit" has "exit" in it; allowed: attempts/],
    [["--retry", "3,delay="], /--retry: .*has "delay=" in it/],
    [["--retry", "3,delay=1s,delay=2s"], /--retry: .*has a delay or backoff twice/],
    [["--retry", "3,when=exit"], /--retry: .*has "when=exit" in it/],
  ])("%j is refused in words", async (args, message) => {
    await expect(stepOf(...args)).rejects.toThrow(message);
  });

  test("an unknown network is refused under its other name too", () => {
    expect(() => parse("--net", "container:x")).toThrow(/--net/);
  });
});

test("a field is called by the flag that it came from", () => {
  const command = parse("-v", "/a:/b", "--mount", "type=bind,source=/c,target=/d", "--tmpfs", "/t");
  expect(flagOf("volumes[0].source", command)).toBe("--volume");
  expect(flagOf("volumes[1].source", command)).toBe("--mount");
  expect(flagOf("tmpfs[0].target", command)).toBe("--tmpfs");
  expect(flagOf("volumes", command)).toBe("--volume");
  expect(flagOf("capAdd[0]", command)).toBe("--cap-add");
  expect(flagOf("cpu", command)).toBe("--cpus");
  expect(flagOf("bridge.pluginDirs", command)).toBe("--cni-plugins");
});

test("an entrypoint that is reset needs a command", async () => {
  const flags = parse("--entrypoint=").opts<DockerFlags>();
  await expect(toStep("busybox", [], flags)).rejects.toThrow(/^--entrypoint: .*the command is missing/);
  expect(await toStep("busybox", ["ls"], flags)).toMatchObject({ command: [""], args: ["ls"] });
});
