import * as z from "zod";
import { declare } from "./declaration.js";
import { quote, refuseField, text, withPattern } from "./field.js";

const LABEL = "[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?";
const NAME = new RegExp(`^${LABEL}(\\.${LABEL})*$`);

const hostname = text(
  "1 to 63 letters, digits and dashes; several with dots between",
  (value) => value.length <= 63 && NAME.test(value) && !value.includes("_"),
  /^[A-Za-z0-9.-]{1,63}$/,
);

const ADDRESS = z.union([z.ipv4(), z.ipv6()]);
const isAddress = (value: string): boolean => ADDRESS.safeParse(value).success;

const hostName = text(
  "a host name of up to 253 characters",
  (value) => value.length <= 253 && NAME.test(value),
  NAME,
);
const address = text("an IPv4 or IPv6 address", isAddress, /^[0-9A-Fa-f:.]+$/);

const extraHost = z.strictObject({ name: hostName, address });

const extraHosts = z
  .union([
    z
      .record(withPattern(z.string(), NAME), withPattern(z.string(), /^[0-9A-Fa-f:.]+$/))
      .transform((hosts) => Object.entries(hosts).map(([name, at]) => ({ name, address: at }))),
    z.array(withPattern(z.string(), /^[^:=\s]+[:=]\S+$/)).transform((entries, context) =>
      entries.map((entry) => {
        const [, name, at] = /^([^:=\s]+)[:=](\S+)$/.exec(entry) ?? [];
        return name === undefined || at === undefined
          ? refuseField(context, `${quote(entry)} is not a host`, "name:address; example: db:10.0.0.7")
          : { name, address: at.replace(/^\[(.*)\]$/, "$1") };
      }),
    ),
  ])
  .pipe(z.array(extraHost));

const searchDomain = text("a domain, or . alone", (value) => value === "." || NAME.test(value), /^[\w.-]+$/);
const resolverOption = text("an option of resolv.conf(5)", /^[a-z0-9-]{1,32}(:\d{1,5})?$/);

/** The step's network, and how it finds names. */
export const networkFields = {
  network: declare(z.enum(["none", "host", "bridge"]).default("none"), {
    summary: "Network of the step",
    details:
      "`none`: only loopback. `bridge`: an address of the step's own. `host`: the network of the daemon's machine.",
    policy: ["bridgeNetwork", "hostNetwork"],
    flag: {
      usage: "--network <network>",
      help: "network",
      choices: ["none", "bridge", "host"],
      default: "none",
    },
  }),
  hostname: declare(hostname.optional(), {
    summary: "Host name of the step",
    default: "the container's id",
    examples: ["builder"],
    flag: { usage: "-h, --hostname <name>" },
  }),
  extra_hosts: declare(extraHosts.default([]), {
    summary: "Additional lines of `/etc/hosts`: a map, or a list of name:address",
    examples: [{ db: "10.0.0.7" }, ["db:10.0.0.7"]],
    flag: { usage: "--add-host <name:address>", help: "additional line in /etc/hosts", repeatable: true },
  }),
  dns: declare(z.array(address).default([]), {
    summary: "Name servers",
    default: "those of the network",
    examples: [["10.0.0.2"]],
    flag: { usage: "--dns <address>", help: "name server", repeatable: true },
  }),
  dns_search: declare(z.array(searchDomain).default([]), {
    summary: "Domains in which names without a dot are looked up",
    examples: [["example.com"]],
    flag: { usage: "--dns-search <domain>", help: "domain to look up short names in", repeatable: true },
  }),
  dns_options: declare(z.array(resolverOption).default([]), {
    summary: "Options of `/etc/resolv.conf`",
    examples: [["ndots:2"]],
    flag: { usage: "--dns-option <option>", help: "option in resolv.conf: ndots:2", repeatable: true },
  }),
};
