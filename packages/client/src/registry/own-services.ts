import { BlockList, isIP } from "node:net";
import { hostName, isLoopback } from "./plain-http.js";

/** This machine, also as IPv6 writes IPv4's addresses: which Node checks against them by itself. */
const SELF = new BlockList();
SELF.addSubnet("127.0.0.0", 8);
SELF.addSubnet("0.0.0.0", 8);
SELF.addAddress("::1", "ipv6");
SELF.addAddress("::", "ipv6");

/** Where clouds keep what only the machine itself may know. */
const LINK_LOCAL = new BlockList();
LINK_LOCAL.addSubnet("169.254.0.0", 16);
LINK_LOCAL.addSubnet("fe80::", 10, "ipv6");
LINK_LOCAL.addAddress("fd00:ec2::254", "ipv6");

/**
 * Whether a server sends us to where only we can go: to this machine's own services, unless it is one of them itself, or to a cloud's metadata service.
 * By the host's name as it is written; what a name resolves to is not asked.
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
