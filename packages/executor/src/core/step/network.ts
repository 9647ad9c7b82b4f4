import { z } from "zod";
import { quote, refuseField, text } from "./field.js";

const LABEL = "[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?";
const NAME = new RegExp(`^${LABEL}(\\.${LABEL})*$`);

export const hostname = text(
  "1 to 63 letters, digits and dashes; several with dots between",
  (value) => value.length <= 63 && NAME.test(value) && !value.includes("_"),
).describe("The container's host name. Default: its id.");

const ADDRESS = z.union([z.ipv4(), z.ipv6()]);
const isAddress = (value: string): boolean => ADDRESS.safeParse(value).success;

const hostName = text(
  "a host name of up to 253 characters",
  (value) => value.length <= 253 && NAME.test(value),
);
const address = text("an IPv4 or IPv6 address", isAddress);

const extraHost = z.strictObject({ name: hostName, address });

export const extraHosts = z
  .union([
    z
      .record(z.string(), z.string())
      .transform((hosts) => Object.entries(hosts).map(([name, at]) => ({ name, address: at }))),
    z.array(z.string()).transform((entries, context) =>
      entries.map((entry) => {
        const [, name, at] = /^([^:=\s]+)[:=](\S+)$/.exec(entry) ?? [];
        return name === undefined || at === undefined
          ? refuseField(context, `${quote(entry)} is not a host`, "name:address; example: db:10.0.0.7")
          : { name, address: at.replace(/^\[(.*)\]$/, "$1") };
      }),
    ),
  ])
  .pipe(z.array(extraHost))
  .default([])
  .describe("Further lines of /etc/hosts: a map, or a list of name:address.");

export const dns = z.array(address).default([]).describe("Name servers. Default: as the network has them.");

export const dnsSearch = z
  .array(text("a domain, or . alone", (value) => value === "." || NAME.test(value)))
  .default([])
  .describe("Domains in which names without a dot are looked up.");

export const dnsOptions = z
  .array(text("an option of resolv.conf(5)", (value) => /^[a-z0-9-]{1,32}(:\d{1,5})?$/.test(value)))
  .default([])
  .describe("Options of resolv.conf: ndots:2.");
