import { BlockList, isIP } from "node:net";
import { hostName, isLoopback } from "./plain-http.js";

/** This machine. Node also matches IPv4 addresses that are written as IPv6. */
const SELF = new BlockList();
SELF.addSubnet("127.0.0.0", 8);
SELF.addSubnet("0.0.0.0", 8);
SELF.addAddress("::1", "ipv6");
SELF.addAddress("::", "ipv6");

/** Addresses of the cloud metadata services, which give secrets of the machine to any program on it. */
const LINK_LOCAL = new BlockList();
LINK_LOCAL.addSubnet("169.254.0.0", 16);
LINK_LOCAL.addSubnet("fe80::", 10, "ipv6");
LINK_LOCAL.addAddress("fd00:ec2::254", "ipv6");

/**
 * Whether a server sends us to a place that only this machine can reach: to a service on this machine (unless
 * the server itself is on this machine), or to a cloud's metadata service. Only the host's name as written is
 * checked; names are not resolved.
 */
export function leadsToOwnServices(from: URL, to: URL): boolean {
  const host = hostName(to.host);
  if (host === hostName(from.host)) return false;
  return (
    (isIn(SELF, host) || isLoopback(host) ? !isSelf(from) : isIn(LINK_LOCAL, host)) ||
    host === "metadata.google.internal"
  );
}

function isSelf({ host }: URL): boolean {
  return isLoopback(host) || isIn(SELF, hostName(host));
}

function isIn(list: BlockList, host: string): boolean {
  const version = isIP(host);
  return version !== 0 && list.check(host, version === 4 ? "ipv4" : "ipv6");
}
