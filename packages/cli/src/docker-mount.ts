import { homedir } from "node:os";
import { resolve } from "node:path";
import type { StepInput } from "@wfe-containerd/executor";
import { UsageError } from "./failure.js";

type Mounts = Pick<StepInput, "volumes" | "tmpfs">;
type Volume = NonNullable<StepInput["volumes"]>[number];

/**
 * Returns the mounts of `--volume`, `--tmpfs` and `--mount`, in this order.
 *
 * @throws UsageError for a value that does not have the form of its flag.
 */
export function toMounts(
  volumes: readonly string[] = [],
  tmpfs: readonly string[] = [],
  mounts: readonly string[] = [],
): Mounts {
  const given = mounts.map(mount);
  return {
    volumes: [...volumes.map(volume), ...given.flatMap((each) => each.volumes ?? [])],
    tmpfs: [...tmpfs.map(normalTmpfs), ...given.flatMap((each) => each.tmpfs ?? [])],
  };
}

/**
 * Options of `--volume` that have no effect. SELinux labels (z, Z) are not set. Files are never copied
 * between machines (cached, delegated, consistent). A new volume starts empty (nocopy).
 */
const WITHOUT_EFFECT = ["z", "Z", "cached", "delegated", "consistent", "default", "nocopy", ""];

function volume(entry: string): Volume {
  const parts = entry.split(":");
  const [from = "", target, options, ...more] = parts;
  if (target === undefined)
    throw new UsageError(
      `--volume: ${JSON.stringify(entry)} has no source; give the volume a name, -v NAME:${entry}, or use --tmpfs ${entry}`,
    );
  if (more.length > 0)
    throw new UsageError(
      `--volume: ${JSON.stringify(entry)} has more than two colons; a path with a colon goes into --mount type=bind,source=PATH,target=PATH`,
    );
  const source = pathOf("--volume", from);
  const kept = options?.split(",").filter((option) => !WITHOUT_EFFECT.includes(option)) ?? [];
  const rest = kept.length === 0 ? "" : `:${kept.join(",")}`;
  // The working directory's path may have a colon. Only the form with fields can hold such a path.
  if (!source.includes(":")) return `${source}:${target}${rest}`;
  const other = kept.find((option) => option !== "ro" && option !== "rw");
  if (other !== undefined)
    throw new UsageError(
      `--volume: ${JSON.stringify(other)} is not allowed for a path with a colon; use --mount type=bind,source=PATH,target=PATH`,
    );
  return { source, target, readonly: kept.includes("ro") };
}

/** As in docker, a leading dot means the working directory. As in a shell, `~` means the home directory. */
function pathOf(flag: string, source: string): string {
  if (source === "~" || source.startsWith("~/")) return resolve(homedir(), source.slice(2));
  if (source.startsWith("~"))
    throw new UsageError(
      `${flag}: ${JSON.stringify(source)}: only ~/ stands for a home directory; give the absolute path`,
    );
  return /^\.{1,2}(?:\/|$)/.test(source) ? resolve(source) : source;
}

/** Options that docker's own examples use, and that every tmpfs of a step has. */
const TMPFS_DEFAULTS = ["rw", "nosuid", "nodev"];

function normalTmpfs(entry: string): string {
  const [, target = entry, options] = /^([^:]*):(.*)$/s.exec(entry) ?? [];
  if (options === undefined) return entry;
  const kept = options
    .split(",")
    .filter((option) => !TMPFS_DEFAULTS.includes(option))
    .map((option) => (option.startsWith("mode=") ? `mode=${octal(option.slice(5))}` : option));
  return kept.length === 0 ? target : `${target}:${kept.join(",")}`;
}

/** Turns `01777`, which docker accepts too, into `1777`. */
function octal(mode: string): string {
  return mode.replace(/^0+(?=[0-7]{3})/, "");
}

/** The keys of `--mount`, and docker's other names for them. */
const KEYS: Readonly<Record<string, string>> = {
  type: "type",
  source: "source",
  src: "source",
  target: "target",
  destination: "target",
  dst: "target",
  readonly: "readonly",
  ro: "readonly",
  consistency: "consistency",
  "bind-propagation": "bind-propagation",
  "bind-recursive": "bind-recursive",
  "volume-nocopy": "volume-nocopy",
  "tmpfs-size": "tmpfs-size",
  "tmpfs-mode": "tmpfs-mode",
};
/** Keys that need no value. Without one they mean true. */
const SWITCHES = ["readonly", "volume-nocopy"];

const TYPES: Readonly<Record<string, readonly string[]>> = {
  bind: ["source", "target", "readonly", "consistency", "bind-propagation", "bind-recursive"],
  volume: ["source", "target", "readonly", "consistency", "volume-nocopy"],
  tmpfs: ["target", "readonly", "consistency", "tmpfs-size", "tmpfs-mode"],
};

/** Keys of docker that are refused, with what to do instead. */
const INSTEAD: Readonly<Record<string, string>> = {
  "bind-nonrecursive": "mounts below the source are always included; give a source without mounts below it",
  "bind-create-src": "the source must exist; make it with mkdir -p",
  "volume-driver":
    "volumes are directories on the daemon's machine; for a volume of a driver, mount it on that machine and use type=bind",
  "volume-opt":
    "volumes are directories on the daemon's machine; for a volume of a driver, mount it on that machine and use type=bind",
  "volume-label": "volumes do not have labels; choose a name that says what the volume is for",
  "volume-subpath": "a volume is mounted whole; use a separate volume for the part",
  "image-subpath": "images cannot be mounted; run a step with that image that copies the files into a volume",
};

/** Parses `type=bind,source=/a,target=/b,readonly`. Without a type it is a volume. */
function mount(entry: string): Mounts {
  const given = fieldsOf(entry);
  const type = (given.get("type") ?? "volume").toLowerCase();
  const keys = Object.hasOwn(TYPES, type) ? TYPES[type] : undefined;
  if (keys === undefined)
    return refuse(entry, `${JSON.stringify(type)} is an unknown type`, Object.keys(TYPES).join(", "));
  const other = [...given.keys()].find((key) => key !== "type" && !keys.includes(key));
  // A key with a dash, such as `volume-nocopy`, exists for one type only.
  if (other?.includes("-")) refuse(entry, `${other} is not a key for type=${type}`, keys.join(", "));
  if (other !== undefined) refuse(entry, `${other} is not a key for type=${type}`, keys.join(", "));
  const target =
    given.get("target") ?? refuse(entry, "target is missing", "target=PATH, for example target=/data");
  return type === "tmpfs" ? tmpfsOf(entry, target, given) : volumeOf(entry, type, target, given);
}

function fieldsOf(entry: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const part of splitFields(entry)) {
    const [name = "", value] = part.split(/=(.*)/s);
    const instead = Object.hasOwn(INSTEAD, name) ? INSTEAD[name] : undefined;
    if (instead !== undefined) throw new UsageError(`--mount: ${name}: ${instead}`);
    const key = Object.hasOwn(KEYS, name) ? KEYS[name] : undefined;
    if (key === undefined)
      return refuse(entry, `${JSON.stringify(name)} is an unknown key`, Object.keys(KEYS).join(", "));
    if (fields.has(key)) refuse(entry, `${key} is given twice`, "each key once");
    if (value === undefined && !SWITCHES.includes(key)) refuse(entry, `${key} has no value`, `${key}=VALUE`);
    fields.set(key, value ?? "true");
  }
  return fields;
}

/** Splits by the rules of CSV, as docker does: `"source=/a,b"` is one field; `""` inside it is one quote. */
function splitFields(entry: string): string[] {
  const fields: string[] = [];
  const field = /(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/sy;
  for (;;) {
    const found = field.exec(entry);
    if (found === null)
      return refuse(
        entry,
        'a quote (") is inside a field, or is not closed',
        'quotes around a whole field, for example "source=/a,b",target=/c',
      );
    const [, quoted, plain = "", separator] = found;
    fields.push(quoted?.replaceAll('""', '"') ?? plain);
    if (separator === "") return fields;
  }
}

function tmpfsOf(entry: string, target: string, given: ReadonlyMap<string, string>): Mounts {
  const size = given.get("tmpfs-size");
  const mode = given.get("tmpfs-mode");
  const options = [
    ...(size === undefined ? [] : [`size=${size}`]),
    ...(mode === undefined ? [] : [`mode=${octal(mode)}`]),
    ...(readonlyOf(entry, given.get("readonly") ?? "false") ? ["ro"] : []),
  ];
  return { tmpfs: [options.length === 0 ? target : `${target}:${options.join(",")}`] };
}

function volumeOf(entry: string, type: string, target: string, given: ReadonlyMap<string, string>): Mounts {
  const isBind = type === "bind";
  const allowed = isBind
    ? "source=PATH, absolute or beginning with ./ or ~/, for example source=/srv/data"
    : "source=NAME, for example source=data";
  const written = given.get("source") ?? refuse(entry, "source is missing", allowed);
  const source = isBind ? pathOf("--mount", written) : written;
  if (source.startsWith("/") !== isBind)
    refuse(entry, `${JSON.stringify(source)} is not a source for type=${type}`, allowed);
  const recursive = given.get("bind-recursive") ?? "enabled";
  if (recursive !== "enabled")
    refuse(
      entry,
      `bind-recursive=${recursive} is not allowed`,
      "bind-recursive=enabled, which includes the mounts below the source",
    );
  const propagation = given.get("bind-propagation");
  const volume = { source, target, readonly: readonlyOf(entry, given.get("readonly") ?? "false") };
  return {
    // parseStep checks the propagation's value.
    volumes: [{ ...volume, ...(propagation !== undefined && { propagation: propagation as "rprivate" }) }],
  };
}

/** Accepts the words that Go accepts for true and false. */
function readonlyOf(entry: string, text: string): boolean {
  if (/^(?:1|t|T|true|TRUE|True)$/.test(text)) return true;
  if (/^(?:0|f|F|false|FALSE|False)$/.test(text)) return false;
  return refuse(entry, `readonly=${text} is not allowed`, "readonly, readonly=true, readonly=false");
}

function refuse(entry: string, problem: string, allowed: string): never {
  throw new UsageError(`--mount: ${JSON.stringify(entry)}: ${problem}; allowed: ${allowed}`);
}
