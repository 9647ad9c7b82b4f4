import type { Hooks } from "../spec/spec.js";

/** First match wins where names are looked up, so what the step says comes before this. A machine without the file still has localhost. */
const COMPLETE = `set -u
fail() { printf 'network host: %s cannot be written on the machine of the daemon\\n' "$1" >&2; exit 1; }
{ cat /etc/hosts 2>/dev/null || printf '127.0.0.1\\tlocalhost\\n::1\\tlocalhost\\n'; } >> "$WFE_HOSTS" || fail "$WFE_HOSTS"
[ -n "$WFE_RESOLV_CONF" ] || exit 0
: >> "$WFE_RESOLV_CONF" || fail "$WFE_RESOLV_CONF"
grep -E '^nameserver' /etc/resolv.conf >> "$WFE_RESOLV_CONF" 2>/dev/null || true
`;

/**
 * A hook that completes the files of names of a step on the network of the daemon's machine by that machine's own. The runtime runs it there: nobody else can
 * read them on every machine. It needs `/bin/sh` there.
 *
 * @param resolvConf undefined when the step has its own name servers, or the machine's whole file.
 */
export function createHostNamesHooks(hosts: string, resolvConf: string | undefined): Hooks {
  const env = [
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    `WFE_HOSTS=${hosts}`,
    `WFE_RESOLV_CONF=${resolvConf ?? ""}`,
  ];
  return { createRuntime: [{ path: "/bin/sh", args: ["sh", "-c", COMPLETE], env, timeout: 10 }] };
}
