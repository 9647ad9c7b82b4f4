import { requireThat } from "../refuse.js";
import type { Hook, Hooks } from "../spec/spec.js";

/** The bridge on the daemon's machine, for steps with `network: bridge`. */
export interface BridgeOptions {
  /**
   * Name of the bridge, at most 15 characters.
   *
   * @default "wfe0"
   */
  readonly name?: string | undefined;
  /**
   * IPv4 subnet of the steps' addresses. The first address is the bridge's own.
   *
   * @default "10.87.0.0/16"
   */
  readonly subnet?: string | undefined;
  /**
   * Directories that may contain the CNI plugins `bridge` and `host-local`.
   *
   * @default ["/opt/cni/bin", "/usr/lib/cni", "/usr/libexec/cni"]
   */
  readonly pluginDirs?: readonly string[] | undefined;
  /**
   * Whether steps reach the networks behind the daemon's machine, with its address (masquerading, by
   * iptables). With `false`, they reach only the daemon's machine and each other.
   *
   * @default true
   */
  readonly masquerade?: boolean | undefined;
  /** Name servers of steps that name none. Default: those of the daemon's machine. */
  readonly dns?: readonly string[] | undefined;
  /**
   * Where the plugin `host-local` records which addresses are taken. After a crash of the machine, no hook
   * gives addresses back, but the default directory is empty again.
   *
   * @default "/run/wfe-containerd/networks"
   */
  readonly dataDir?: string | undefined;
}

/** The names of the options of a bridge. Others are refused. */
export const BRIDGE_OPTIONS: Readonly<Record<keyof BridgeOptions, true>> = {
  name: true,
  subnet: true,
  pluginDirs: true,
  masquerade: true,
  dns: true,
  dataDir: true,
};

/** Checked options of the bridge, with their defaults. */
export type Bridge = Required<Omit<BridgeOptions, "dns">> & Pick<BridgeOptions, "dns">;

const IS_PATH = /^\/[^\0:\n]*$/;

/**
 * Checks the operator's options and adds the defaults.
 *
 * @throws ExecutorError `refused`, naming the field.
 */
export function parseBridge(options: BridgeOptions = {}): Bridge {
  const {
    name = "wfe0",
    subnet = "10.87.0.0/16",
    pluginDirs = ["/opt/cni/bin", "/usr/lib/cni", "/usr/libexec/cni"],
    masquerade = true,
    dns,
    dataDir = "/run/wfe-containerd/networks",
  } = options;
  requireThat(
    /^[A-Za-z][\w.-]{0,14}$/.test(name),
    "bridge.name",
    `${JSON.stringify(name)} is not the name of a bridge`,
    "a letter, then up to 14 letters, digits, dots, dashes and underscores; example: wfe0",
  );
  requireThat(
    isSubnet(subnet),
    "bridge.subnet",
    `${JSON.stringify(subnet)} is not an IPv4 subnet`,
    "a subnet from /8 to /29; example: 10.87.0.0/16",
  );
  requireThat(
    pluginDirs.length > 0 && pluginDirs.every((path) => IS_PATH.test(path)),
    "bridge.pluginDirs",
    `${JSON.stringify(pluginDirs)} is empty or has an invalid path`,
    "one or more absolute paths without a colon; example: /opt/cni/bin",
  );
  requireThat(
    IS_PATH.test(dataDir),
    "bridge.dataDir",
    `${JSON.stringify(dataDir)} is not an absolute path`,
    "an absolute path without a colon; example: /run/wfe-containerd/networks",
  );
  return { name, subnet, pluginDirs, masquerade, dns, dataDir };
}

function isSubnet(text: string): boolean {
  const [, ...numbers] = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(text) ?? [];
  const bits = Number(numbers[4]);
  return (
    numbers.length === 5 &&
    numbers.slice(0, 4).every((number) => Number(number) < 256) &&
    bits >= 8 &&
    bits <= 29
  );
}

/**
 * The script that joins a container to the bridge. It reads the process from the container's state, which a
 * hook gets as its input, and passes the plugin its configuration.
 */
const ADD = `set -u
fail() { printf '%s\\n' "$1" >&2; exit 1; }
pid=$(sed -n 's/.*"pid": *\\([0-9][0-9]*\\).*/\\1/p')
[ -n "$pid" ] || fail 'network bridge: the runtime did not tell the process of the step'
plugin=
IFS=:
for directory in $CNI_PATH; do [ -x "$directory/bridge" ] && { plugin=$directory/bridge; break; }; done
unset IFS
[ -n "$plugin" ] || fail "network bridge: the CNI plugin bridge is not in $CNI_PATH; install the CNI plugins on the daemon's machine, or name their directory in the executor's option bridge.pluginDirs (--cni-plugins)"
if [ -n "$WFE_SUBNET" ]; then
  rule="-s $WFE_SUBNET ! -d $WFE_SUBNET -j MASQUERADE"
  iptables -w -t nat -C POSTROUTING $rule 2>/dev/null || iptables -w -t nat -A POSTROUTING $rule ||
    fail 'network bridge: iptables cannot masquerade; install iptables on the machine of the daemon, or set bridge.masquerade: false (--no-masquerade)'
  # Where other programs let nothing be forwarded, these two ways stay open.
  for rule in "-s $WFE_SUBNET" "-d $WFE_SUBNET -m conntrack --ctstate RELATED,ESTABLISHED"; do
    iptables -w -C FORWARD $rule -j ACCEPT 2>/dev/null || iptables -w -I FORWARD $rule -j ACCEPT
  done
fi
export CNI_NETNS=/proc/$pid/ns/net
answer=$(printf '%s' "$WFE_CNI" | CNI_COMMAND=ADD "$plugin") || {
  printf '%s' "$WFE_CNI" | CNI_COMMAND=DEL "$plugin" >/dev/null 2>&1
  fail "network bridge: $answer"
}
[ -n "$WFE_RESOLV_CONF" ] || exit 0
# A name server of the machine's own loopback is not the step's; systemd keeps the real ones beside it.
isReached() { grep -E '^nameserver' "$1" 2>/dev/null | grep -qEv '^nameserver[[:space:]]+(127\\.|::1)'; }
source=/etc/resolv.conf
isReached "$source" || { isReached /run/systemd/resolve/resolv.conf && source=/run/systemd/resolve/resolv.conf; }
# What the step says of domains and options stands.
[ -s "$WFE_RESOLV_CONF" ] && wanted=^nameserver || wanted=.
grep -E "$wanted" "$source" | grep -Ev '^nameserver[[:space:]]+(127\\.|::1)' >> "$WFE_RESOLV_CONF" || true
`;

/** The script that frees the address. The namespace and its pair of interfaces are already gone. */
const DELETE = `IFS=:
for directory in $CNI_PATH; do
  [ -x "$directory/bridge" ] && { printf '%s' "$WFE_CNI" | CNI_COMMAND=DEL CNI_NETNS= "$directory/bridge" >&2; exit; }
done
`;

const TIMEOUT_S = 60;

/**
 * Returns hooks that join a container's network namespace to the bridge, and free its address when it is
 * gone. The runtime runs them on the daemon's machine, even if the executor has died by then. They need
 * `/bin/sh` and the CNI plugins on that machine.
 *
 * Every value is passed in the environment; nothing is ever written into the scripts. Source: CNI's
 * specification, "Section 2: Execution protocol"; the OCI runtime spec, "POSIX-platform hooks".
 *
 * @param resolvConf path of the step's `resolv.conf`, if the hook is to add the name servers of the daemon's
 * machine
 */
export function createBridgeHooks(id: string, bridge: Bridge, resolvConf: string | undefined): Hooks {
  const configuration = {
    cniVersion: "0.4.0",
    name: bridge.name,
    type: "bridge",
    bridge: bridge.name,
    isDefaultGateway: true,
    ipam: {
      type: "host-local",
      dataDir: bridge.dataDir,
      ranges: [[{ subnet: bridge.subnet }]],
    },
  };
  const env = [
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    `CNI_CONTAINERID=${id}`,
    "CNI_IFNAME=eth0",
    `CNI_PATH=${bridge.pluginDirs.join(":")}`,
    `WFE_CNI=${JSON.stringify(configuration)}`,
    `WFE_SUBNET=${bridge.masquerade ? bridge.subnet : ""}`,
    `WFE_RESOLV_CONF=${resolvConf ?? ""}`,
  ];
  const hook = (script: string): Hook => ({
    path: "/bin/sh",
    args: ["sh", "-c", script],
    env,
    timeout: TIMEOUT_S,
  });
  return { createRuntime: [hook(ADD)], poststop: [hook(DELETE)] };
}
