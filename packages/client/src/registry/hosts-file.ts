import { parse, TomlError } from "smol-toml";
import { refuse } from "../refuse.js";
import type { HostCapability } from "./host.js";
import { ALL_CAPABILITIES } from "./host.js";

/** One host of a hosts.toml. Certificates are still file names. */
export interface HostEntry {
  /** Undefined for the registry itself, if the file names no server. */
  readonly origin: string | undefined;
  readonly path: string;
  readonly capabilities: ReadonlySet<HostCapability>;
  readonly headers: Readonly<Record<string, string>>;
  readonly caFiles: readonly string[];
  readonly clientFiles: readonly { readonly cert: string; readonly key: string }[];
  readonly skipVerify: boolean;
  readonly dialTimeoutMs: number | undefined;
}

type Table = Readonly<Record<string, unknown>>;

const CAPABILITIES: readonly string[] = [...ALL_CAPABILITIES, "referrers"];
const KEYS = ["capabilities", "ca", "client", "skip_verify", "header", "override_path", "dial_timeout"];

/**
 * Reads a hosts.toml as containerd documents it (`docs/hosts.md`): the `[host]` tables in their order, then
 * the server.
 *
 * @param file the name of the file, for the error.
 * @throws ContainerdError `invalid-argument`. containerd ignores a file that it cannot read, and so also its
 * mirrors, certificates and headers. We send no request instead: the file may have been meant to forbid it.
 */
export function parseHostsFile(file: string, text: string): HostEntry[] {
  let root: Table;
  try {
    root = parse(text) as Table;
  } catch (reason) {
    const line = reason instanceof TomlError ? `line ${reason.line}` : "the file";
    return refuseField(
      file,
      line,
      "is not TOML",
      'TOML, for example server = "https://registry.example.com"',
    );
  }
  const { server, host = {}, ...own } = root;
  checkKeys(file, "", own);
  if (server !== undefined && typeof server !== "string")
    refuseField(file, "server", "is not text", 'a URL, for example "https://registry.example.com"');
  const mirrors = Object.entries(table(file, "host", host)).map(([name, value]) => {
    const entry = table(file, `host.${name}`, value);
    checkKeys(file, `host.${name}.`, entry);
    return toEntry(file, `host.${name}.`, name, entry);
  });
  return [...mirrors, toEntry(file, "", server === "" ? undefined : (server as string | undefined), own)];
}

function toEntry(file: string, prefix: string, server: string | undefined, entry: Table): HostEntry {
  const {
    capabilities,
    ca,
    client,
    skip_verify: skipVerify = false,
    header,
    override_path: override = false,
  } = entry;
  if (typeof skipVerify !== "boolean")
    refuseField(file, `${prefix}skip_verify`, "is not true or false", "true, false");
  if (typeof override !== "boolean")
    refuseField(file, `${prefix}override_path`, "is not true or false", "true, false");
  return {
    ...parseServer(file, prefix, server, override),
    capabilities: parseCapabilities(file, `${prefix}capabilities`, capabilities),
    headers: parseHeaders(file, `${prefix}header`, header),
    caFiles: texts(file, `${prefix}ca`, ca),
    clientFiles: parseClient(file, `${prefix}client`, client),
    skipVerify,
    dialTimeoutMs: parseDuration(file, `${prefix}dial_timeout`, entry["dial_timeout"]),
  };
}

function parseServer(
  file: string,
  prefix: string,
  server: string | undefined,
  override: boolean,
): Pick<HostEntry, "origin" | "path"> {
  if (server === undefined) return { origin: undefined, path: "/v2" };
  const text = /^https?:\/\//.test(server) ? server : `https://${server}`;
  if (!URL.canParse(text))
    refuseField(
      file,
      prefix === "" ? "server" : prefix.slice(0, -1),
      "is not a URL",
      "https://host[:port][/path]",
    );
  const { protocol, host, pathname, username, password, search } = new URL(text);
  if (username !== "" || password !== "" || search !== "") {
    refuseField(
      file,
      prefix === "" ? "server" : "host",
      "has credentials or a query in its URL",
      "https://host[:port][/path]",
    );
  }
  const path = withoutEnd(pathname);
  return { origin: `${protocol}//${host}`, path: override || path.endsWith("/v2") ? path : `${path}/v2` };
}

/** Removes slashes at the end. */
function withoutEnd(path: string): string {
  let end = path.length;
  while (path[end - 1] === "/") end--;
  return path.slice(0, end);
}

function parseCapabilities(file: string, field: string, value: unknown): ReadonlySet<HostCapability> {
  const names = texts(file, field, value).map((name) => name.toLowerCase());
  for (const name of names) {
    if (!CAPABILITIES.includes(name))
      refuseField(file, field, `has ${JSON.stringify(name)}`, CAPABILITIES.join(", "));
  }
  return names.length === 0
    ? ALL_CAPABILITIES
    : new Set(names.filter((name): name is HostCapability => name !== "referrers"));
}

function parseHeaders(file: string, field: string, value: unknown = {}): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, given] of Object.entries(table(file, field, value))) {
    const joined = texts(file, `${field}.${name}`, given).join(", ");
    // The message leaves out the value, which may be a secret.
    if (!/^[!#$%&'*+\-.^_`|~\w]+$/.test(name) || !/^[\x20-\x7e\t]*$/.test(joined)) {
      refuseField(
        file,
        `${field}.${name}`,
        "is not a header",
        "a header name, and a value of printable ASCII characters",
      );
    }
    headers[name.toLowerCase()] = joined;
  }
  return headers;
}

function parseClient(file: string, field: string, value: unknown = []): HostEntry["clientFiles"] {
  const pairs = typeof value === "string" ? [value] : value;
  if (!Array.isArray(pairs))
    return refuseField(
      file,
      field,
      "is not a list",
      "a file, a list of files, or a list of [certificate, key]",
    );
  return pairs.map((pair: unknown) => {
    const [cert, key, ...more] = texts(file, field, pair);
    if (cert === undefined || more.length > 0)
      return refuseField(file, field, "has an entry that is not a pair", "[certificate, key]");
    // The certificate and the key may be in one file. In a pair, the key may then be empty.
    return { cert, key: key === undefined || key === "" ? cert : key };
  });
}

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** Reads Go's durations, in the units ms, s, m and h. */
function parseDuration(file: string, field: string, value: unknown): number | undefined {
  if (value === undefined || value === "") return undefined;
  if (typeof value !== "string" || !/^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/.test(value)) {
    return refuseField(file, field, "is not a duration", '"1s", "500ms", "1m30s"');
  }
  return [...value.matchAll(/([\d.]+)(ms|s|m|h)/g)].reduce(
    (sum, [, n, unit]) => sum + Number(n) * (UNITS_MS[unit ?? ""] ?? 0),
    0,
  );
}

function texts(file: string, field: string, value: unknown = []): string[] {
  const list = typeof value === "string" ? [value] : value;
  if (!Array.isArray(list) || list.some((entry) => typeof entry !== "string"))
    refuseField(file, field, "is not text", "a string, or a list of strings");
  return list as string[];
}

function table(file: string, field: string, value: unknown): Table {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return refuseField(file, field, "is not a table", "a TOML table");
  return value as Table;
}

function checkKeys(file: string, prefix: string, entry: Table): void {
  for (const key of Object.keys(entry)) {
    if (!KEYS.includes(key)) refuseField(file, `${prefix}${key}`, "is an unknown key", KEYS.join(", "));
  }
}

function refuseField(file: string, field: string, problem: string, allowed: string): never {
  return refuse(`${file}: ${field} ${problem}`, allowed);
}
