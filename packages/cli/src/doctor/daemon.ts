import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import type { Client } from "@wfe-containerd/client";
import { checkContainerdVersion } from "./advisories.js";
import { type Finding, fail, ok, warn } from "./finding.js";

/** Whether the daemon can be reached. If not, everything else about it is unknown. */
export async function checkConnection(client: Client): Promise<readonly Finding[]> {
  const { address } = client;
  try {
    const { version } = await client.version();
    return [ok("connection", `${address} answers`), checkContainerdVersion(version)];
  } catch (reason) {
    const message = reason instanceof Error ? reason.message : String(reason);
    return [fail("connection", message, await connectionAdvice(address))];
  }
}

async function connectionAdvice(address: string): Promise<string> {
  const path = address.startsWith("unix://") ? address.slice("unix://".length) : undefined;
  if (path === undefined) return "is the daemon running there, and are --address and the --tls flags right?";
  const isThere = await stat(path).then(
    () => true,
    () => false,
  );
  if (!isThere)
    return "start containerd (systemctl start containerd), or name its socket with --address or WFE_CONTAINERD_ADDR";
  const isAllowed = await access(path, constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
  return isAllowed
    ? "a socket is there, but no containerd answers: is it running? systemctl status containerd"
    : "run the command as root, or let a group use the socket: [grpc] gid in containerd's config.toml. Who may use it can become root";
}

/** Whether the daemon has what steps need: a snapshotter, a differ, a runtime. */
export async function checkPlugins(client: Client): Promise<readonly Finding[]> {
  const plugins = await client.introspection.plugins();
  const working = (type: string): string[] =>
    plugins.filter((plugin) => plugin.type === type && plugin.failure === undefined).map(({ id }) => id);
  const snapshotters = working("io.containerd.snapshotter.v1");
  const { snapshotter } = client;
  const found = plugins.find(({ type, id }) => type === "io.containerd.snapshotter.v1" && id === snapshotter);
  const others = `choose another with --snapshotter; those that work here: ${snapshotters.join(", ") || "none"}`;
  const findings: Finding[] = [];
  if (found === undefined) findings.push(fail("snapshotter", `the daemon has no ${snapshotter}`, others));
  else if (found.failure !== undefined)
    findings.push(fail("snapshotter", `${snapshotter} does not work: ${found.failure}`, others));
  else findings.push(ok("snapshotter", snapshotter));
  const hasRuntime = [...working("io.containerd.runtime.v2"), ...working("io.containerd.shim.v1")].length > 0;
  if (!hasRuntime)
    findings.push(
      fail("runtime", "the daemon cannot start shims", "see the daemon's log: journalctl -u containerd"),
    );
  return findings;
}

/** A difference that matters: expiry of leases, ages, and times in logs become wrong. */
const MAX_SKEW_MS = 2000;

/** Compares the daemon's clock with ours. The daemon writes its time on each new lease. */
export async function checkClock(client: Client): Promise<Finding> {
  const before = Date.now();
  const lease = await client.leases.create({ expireMs: 60_000 });
  const after = Date.now();
  await client.leases.delete(lease.id);
  const created = lease.createdAt.getTime();
  const skewMs = created < before ? created - before : created > after ? created - after : 0;
  if (Math.abs(skewMs) <= MAX_SKEW_MS) return ok("clock", "the daemon's clock is that of this machine");
  const seconds = Math.round(Math.abs(skewMs) / 1000);
  return warn(
    "clock",
    `the daemon's clock is ${seconds} s ${skewMs > 0 ? "ahead of" : "behind"} this machine's`,
    "let both machines keep their time with NTP: timedatectl set-ntp true",
  );
}
