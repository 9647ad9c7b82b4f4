import type { Hooks } from "../spec/spec.js";

/**
 * The script that appends the names of the daemon's machine. In a lookup the first match wins, so the step's
 * own lines come first. A machine without the file still gets localhost.
 */
const COMPLETE = `set -u
fail() { printf 'network host: the file %s cannot be written on the machine of the daemon\\n' "$1" >&2; exit 1; }
{ cat /etc/hosts 2>/dev/null || printf '127.0.0.1\\tlocalhost\\n::1\\tlocalhost\\n'; } >> "$WFE_HOSTS" || fail "$WFE_HOSTS"
[ -n "$WFE_RESOLV_CONF" ] || exit 0
: >> "$WFE_RESOLV_CONF" || fail "$WFE_RESOLV_CONF"
grep -E '^nameserver' /etc/resolv.conf >> "$WFE_RESOLV_CONF" 2>/dev/null || true
`;

/**
 * Returns a hook for a step on the network of the daemon's machine: it completes the step's `/etc/hosts` and
 * `/etc/resolv.conf` from that machine's files. The runtime runs it there, because nothing else can read
 * those files on every machine. It needs `/bin/sh` on that machine.
 *
 * @param resolvConf path of the step's file; undefined if the step has its own name servers, or the machine's
 * whole file
 */
export function createHostNamesHooks(hosts: string, resolvConf: string | undefined): Hooks {
  const env = [
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    `WFE_HOSTS=${hosts}`,
    `WFE_RESOLV_CONF=${resolvConf ?? ""}`,
  ];
  return { createRuntime: [{ path: "/bin/sh", args: ["sh", "-c", COMPLETE], env, timeout: 10 }] };
}
