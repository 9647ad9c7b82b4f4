import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import {
  createExecutor,
  type ExecutorOptions,
  removeStep,
  type StepHandle,
  type StepInput,
} from "@wfe-containerd/executor";
import { useDaemon } from "@wfe-containerd/test-infra/daemon";
import { createPrivateNetwork, type PrivateNetwork } from "@wfe-containerd/test-infra/daemon/network";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { createBridgeHooks, parseBridge } from "../src/core/network/bridge.js";

const network: PrivateNetwork = await createPrivateNetwork();
const dataDir = await mkdtemp(join(tmpdir(), "test-cni-"));
const daemon_ = useDaemon({ binDir: network.binDir });
afterAll(async () => {
  await network[Symbol.asyncDispose]();
  await rm(dataDir, { recursive: true });
});

const BRIDGE = { name: "wfetest0", subnet: "10.99.0.0/24", dataDir };
const GATEWAY = "10.99.0.1";

function executor(options: ExecutorOptions = {}) {
  return createExecutor({
    client: daemon_.client,
    ioDir: daemon_.ioDir,
    policy: { bridgeNetwork: true },
    bridge: BRIDGE,
    ...options,
  });
}

async function run(change: Partial<StepInput>, options?: ExecutorOptions) {
  const runner = executor(options);
  const step = { name: "net", image: "busybox", network: "bridge", ...change } as StepInput;
  return runner.run(step).finally(() => runner.close());
}

/**
 * Returns a step's resolv.conf (`own`) after the bridge's hook has run, on a machine with these files. The
 * plugin in use does nothing.
 */
async function resolvConfOn(files: { etc: string; systemd?: string; own?: string }): Promise<string> {
  const at = await mkdtemp(join(tmpdir(), "test-resolv-"));
  try {
    for (const name of ["etc", "systemd/resolve", "plugins"])
      await mkdir(join(at, name), { recursive: true });
    await writeFile(join(at, "etc/resolv.conf"), files.etc);
    if (files.systemd !== undefined) await writeFile(join(at, "systemd/resolve/resolv.conf"), files.systemd);
    await writeFile(join(at, "own"), files.own ?? "");
    await writeFile(join(at, "plugins/bridge"), "#!/bin/sh\n", { mode: 0o755 });
    const bridge = parseBridge({ pluginDirs: [join(at, "plugins")], masquerade: false });
    const [hook] = createBridgeHooks("hooked", bridge, join(at, "own")).createRuntime ?? [];
    assert(hook?.args && hook.env);
    const machine = `mount --bind ${at}/etc /etc && mount -t tmpfs none /run && cp -r ${at}/systemd /run/ && exec "$@"`;
    const args = ["--mount", "sh", "-c", machine, "sh", hook.path, ...hook.args.slice(1)];
    const env = Object.fromEntries(hook.env.map((entry) => entry.split(/=(.*)/s).slice(0, 2)));
    const running = promisify(execFile)("unshare", args, { env });
    running.child.stdin?.end(`{"pid": ${process.pid}}`);
    await running;
    return await readFile(join(at, "own"), "utf8");
  } finally {
    await rm(at, { recursive: true });
  }
}

/**
 * What steps may leave behind: taken addresses and rules. The bridge and its rules stay for the next step.
 */
async function remains(): Promise<{ addresses: string[]; rules: number }> {
  const taken = await readdir(join(dataDir, BRIDGE.name)).catch(() => []);
  const rules = await network.exec("iptables-save");
  return {
    addresses: taken.filter((name) => /^[\d.]+$/.test(name)),
    rules: rules.split("\n").filter((line) => line.startsWith("-A")).length,
  };
}

/** The interfaces of steps on the bridge. */
async function interfaces(): Promise<string[]> {
  const links: { ifname: string }[] = JSON.parse(await network.exec("ip", "-json", "link"));
  return links.map(({ ifname }) => ifname).filter((name) => name.startsWith("veth"));
}

afterEach(async () => {
  expect((await remains()).addresses).toEqual([]);
  // The kernel removes them with the network namespace, some time after its last process has ended.
  await expect.poll(interfaces).toEqual([]);
});

function nameServersIn(resolvConf: string): string[] {
  return [...resolvConf.matchAll(/^nameserver\s+(\S+)/gm)].map(([, address = ""]) => address);
}

/**
 * The name servers of this machine that are not on its loopback. Behind systemd's resolver: those that
 * systemd asks.
 */
async function machinesNameServers(): Promise<string[]> {
  const reached: string[][] = await Promise.all(
    ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"].map(async (path) => {
      const servers = nameServersIn(await readFile(path, "utf8").catch(() => ""));
      return servers.filter((address) => !address.startsWith("127.") && address !== "::1");
    }),
  );
  return reached.find((servers) => servers.length > 0) ?? [];
}

const SERVERS = `
  const http = require("node:http"), dgram = require("node:dgram");
  http.createServer((_, response) => response.end("reached\\n")).listen(8080, "0.0.0.0", () => {
    const dns = dgram.createSocket("udp4");
    // An answer to each question for an address: 10.99.0.1, with the question's own name.
    dns.on("message", (query, from) => {
      const header = Buffer.from(query.subarray(0, 12));
      header.writeUInt16BE(0x8180, 2);
      const isAddress = query.readUInt16BE(query.length - 4) === 1;
      header.writeUInt16BE(isAddress ? 1 : 0, 6);
      const question = query.subarray(12);
      const answer = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 99, 0, 1]);
      dns.send(Buffer.concat([header, question, ...(isAddress ? [answer] : [])]), from.port, from.address);
    });
    dns.bind(53, "0.0.0.0", () => console.log("ready"));
  });
`;

/** `WFE_BRIDGE_STEPS=250` uses nearly all addresses of the bridge. */
const MANY = Number(process.env["WFE_BRIDGE_STEPS"] ?? 20);

describe("a step on the bridge", () => {
  test("reaches a server on the bridge's address, and resolves a name", async () => {
    await network.startNode(SERVERS);
    const result = await run({
      dns: [GATEWAY],
      dnsSearch: ["test.example"],
      run: `wget -q -O - http://${GATEWAY}:8080/; nslookup server | grep -A1 '^Name'; cat /etc/resolv.conf; ip route | head -n 1`,
    });
    expect(result.stdout).toContain("reached\n");
    expect(result.stdout).toMatch(/Name:\s+server\.test\.example\nAddress(?: 1)?: 10\.99\.0\.1/);
    expect(result.stdout).toContain(`nameserver ${GATEWAY}\nsearch test.example\n`);
    expect(result.stdout).toContain(`default via ${GATEWAY} dev eth0`);
  });

  test("has the daemon's name servers when it names none", async () => {
    const { stdout } = await run({ run: "cat /etc/resolv.conf" });
    expect(nameServersIn(stdout)).toEqual(await machinesNameServers());
    const other = await run({ run: "cat /etc/resolv.conf" }, { bridge: { ...BRIDGE, dns: ["9.9.9.9"] } });
    expect(other.stdout).toBe("nameserver 9.9.9.9\n");
  });

  const STUB = "nameserver 127.0.0.53\nsearch lan\n";
  test.each<[string, { etc: string; systemd?: string; own?: string; expected: string }]>([
    [
      "as they are",
      {
        etc: "# mine\nnameserver 192.0.2.1\nsearch lan\noptions ndots:2\n",
        expected: "# mine\nnameserver 192.0.2.1\nsearch lan\noptions ndots:2\n",
      },
    ],
    [
      "behind systemd's stub",
      { etc: STUB, systemd: "nameserver 192.0.2.2\n", expected: "nameserver 192.0.2.2\n" },
    ],
    [
      "not those of its loopback",
      {
        etc: "nameserver 127.0.0.1\nnameserver\t::1\nnameserver 192.0.2.1\nnameserver 2001:db8::1\n",
        systemd: "nameserver 192.0.2.2\n",
        expected: "nameserver 192.0.2.1\nnameserver 2001:db8::1\n",
      },
    ],
    ["none, where none but its loopback's are", { etc: STUB, systemd: STUB, expected: "search lan\n" }],
    [
      "and no more, when it says of domains itself",
      {
        etc: "nameserver 192.0.2.1\nsearch lan\n",
        own: "search mine\n",
        expected: "search mine\nnameserver 192.0.2.1\n",
      },
    ],
  ])("takes the name servers of the daemon's machine: %s", async (_, { expected, ...files }) => {
    expect(await resolvConfOn(files)).toBe(expected);
  });

  test("shares its address with no other", async () => {
    const runner = executor();
    const step = {
      image: "busybox",
      network: "bridge",
      run: "ip -4 addr show eth0 | grep -o 'inet [0-9.]*'; sleep 1",
    } as const;
    const results = await Promise.all([0, 1, 2].map((at) => runner.run({ ...step, name: `s${at}` })));
    const addresses = results.map(({ stdout }) => stdout.trim());
    expect(new Set(addresses).size).toBe(3);
    for (const address of addresses) expect(address).toMatch(/^inet 10\.99\.0\.\d+$/);
    await runner.close();
  });

  test(`leaves no address, no interface and no rule, after ${MANY} of them`, async () => {
    await run({ run: "true" });
    const before = await remains();
    const runner = executor({ ioMode: "fifo" });
    let left = MANY;
    await Promise.all(
      Array.from({ length: 8 }, async () => {
        while (left-- > 0) {
          const step = {
            name: "one-of-many",
            image: "busybox",
            network: "bridge",
            command: ["true"],
          } as const;
          expect(await runner.run(step)).toMatchObject({ exitCode: 0 });
        }
      }),
    );
    await runner.close();
    expect(await remains()).toEqual(before);
  });

  test.each<[string, Partial<StepInput>, object]>([
    ["times out", { run: "sleep 60", timeoutMs: 300, stopGraceMs: 0 }, { cause: "timeout" }],
    ["is killed for its memory", { run: "tail /dev/zero", memory: "16m" }, { cause: "oom" }],
  ])("leaves nothing when it %s", async (_, change, expected) => {
    expect(await run(change)).toMatchObject(expected);
  });

  test("leaves nothing when its program is not there", async () => {
    const before = await daemon_.inventory();
    await expect(run({ command: ["no-such-program"] })).rejects.toMatchObject({ kind: "command-not-found" });
    await daemon_.expectNothingLeft(before);
  });

  async function during(act: (handle: StepHandle) => Promise<void>): Promise<StepHandle> {
    const runner = executor();
    const handle = runner.start({
      name: "long",
      image: "busybox",
      network: "bridge",
      run: "echo on; sleep 6000",
      stopGraceMs: 0,
    });
    for await (const event of handle) if (event.type === "output") await act(handle);
    await handle.closed;
    await runner.close();
    return handle;
  }

  test("leaves nothing when it is stopped, and when its shim or the daemon was killed", async () => {
    await during(async (handle) => handle.stop());
    await during(async (handle) => {
      await promisify(execFile)("pkill", ["-KILL", "-f", `containerd-shim-runc-v2.*-id ${handle.id}`]);
    });
    await during(async (handle) => {
      daemon_.daemon.kill("SIGKILL");
      await daemon_.daemon.exited;
      await daemon_.daemon.restart();
      handle.stop();
    });
  });

  test("leaves nothing when another process removes it, as after its executor's death", async () => {
    await during((handle) => removeStep(daemon_.client, handle.id));
  });

  test("is told in words what is missing on the daemon's machine", async () => {
    await expect(
      run({ run: "true" }, { bridge: { ...BRIDGE, pluginDirs: ["/no/such/place"] } }),
    ).rejects.toMatchObject({
      kind: "runtime",
      message: expect.stringContaining("the CNI plugin bridge is not in /no/such/place"),
    });
    await expect(
      run({ run: "true" }, { bridge: { ...BRIDGE, name: "wfetest1", subnet: "10.99.1.0/29" } }),
    ).resolves.toMatchObject({ exitCode: 0 });
  });

  test("needs the policy's word", async () => {
    await expect(run({ run: "true" }, { policy: {} })).rejects.toMatchObject({
      kind: "refused",
      issues: [{ field: "network", allowed: expect.stringContaining("bridge_network") }],
    });
  });

  test.each<[string, NonNullable<ExecutorOptions["bridge"]>]>([
    ["bridge.name", { name: "a bridge" }],
    ["bridge.name", { name: "x".repeat(16) }],
    ["bridge.subnet", { subnet: "10.0.0.0" }],
    ["bridge.subnet", { subnet: "10.0.0.256/16" }],
    ["bridge.subnet", { subnet: "10.0.0.0/30" }],
    ["bridge.pluginDirs", { pluginDirs: ["relative"] }],
    ["bridge.pluginDirs", { pluginDirs: [] }],
    ["bridge.dataDir", { dataDir: "data" }],
  ])("has no bridge with a wrong %s: %j", (field, bridge) => {
    expect(() => executor({ bridge })).toThrow(field);
  });
});

describe("names", () => {
  test("every step knows itself, and those that it is told of", async () => {
    const result = await run({
      network: "none",
      hostname: "builder",
      extraHosts: ["db.example:10.0.0.7", "six:fd00::7"],
      run: "hostname; cat /etc/hostname; grep -E 'builder|db.example|six|localhost' /etc/hosts; wc -c < /etc/resolv.conf; echo more >> /etc/hosts",
      user: "0",
    });
    expect(result).toMatchObject({ exitCode: 0, stderr: "" });
    expect(result.stdout.split("\n")).toEqual([
      "builder",
      "builder",
      "127.0.0.1\tlocalhost",
      "::1\tlocalhost ip6-localhost ip6-loopback",
      "127.0.1.1\tbuilder",
      "10.0.0.7\tdb.example",
      "fd00::7\tsix",
      "0",
      "",
    ]);
  });

  test("a step's own file stands", async () => {
    const result = await run({
      network: "none",
      tmpfs: ["/etc/hosts.d"],
      run: "ls -d /etc/hosts.d && touch /etc/hosts",
    });
    expect(result.stdout).toBe("/etc/hosts.d\n");
    expect(result.stderr).toContain("Read-only file system");
  });
});
