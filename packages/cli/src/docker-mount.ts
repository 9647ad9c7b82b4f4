import type { StepInput } from "@wfe-containerd/executor";
import { UsageError } from "./failure.js";

type Mounts = Pick<StepInput, "volumes" | "tmpfs">;

/** The mounts of `--volume`, `--tmpfs` and `--mount`, in this order. @throws UsageError for what has not the form of its flag. */
export function toMounts(
  volumes: readonly string[] = [],
  tmpfs: readonly string[] = [],
  mounts: readonly string[] = [],
): Mounts {
  const given = mounts.map(mount);
  return {
    volumes: [...volumes, ...given.flatMap((each) => each.volumes ?? [])],
    tmpfs: [...tmpfs.map(withoutDefaults), ...given.flatMap((each) => each.tmpfs ?? [])],
  };
}

/** What docker's own examples say, and what is so of every tmpfs. */
const TMPFS_DEFAULTS = ["rw", "nosuid", "nodev"];

function withoutDefaults(entry: string): string {
  const [, target = entry, options] = /^([^:]*):(.*)$/s.exec(entry) ?? [];
  if (options === undefined) return entry;
  const kept = options.split(",").filter((option) => !TMPFS_DEFAULTS.includes(option));
  return kept.length === 0 ? target : `${target}:${kept.join(",")}`;
}

/** The keys of `--mount`, with docker's other names for them. */
const KEYS: Readonly<Record<string, string>> = {
  type: "type",
  source: "source",
  src: "source",
  target: "target",
  destination: "target",
  dst: "target",
  readonly: "readonly",
  ro: "readonly",
  "bind-propagation": "bind-propagation",
  "tmpfs-size": "tmpfs-size",
  "tmpfs-mode": "tmpfs-mode",
};

const TYPES: Readonly<Record<string, readonly string[]>> = {
  bind: ["source", "target", "readonly", "bind-propagation"],
  volume: ["source", "target", "readonly"],
  tmpfs: ["target", "tmpfs-size", "tmpfs-mode"],
};

/** `type=bind,source=/a,target=/b,readonly`; a volume where no type is given. */
function mount(entry: string): Mounts {
  const given = fieldsOf(entry);
  const type = given.get("type") ?? "volume";
  const keys = Object.hasOwn(TYPES, type) ? TYPES[type] : undefined;
  if (keys === undefined)
    return refuse(entry, `${JSON.stringify(type)} is no type`, Object.keys(TYPES).join(", "));
  const other = [...given.keys()].find((key) => key !== "type" && !keys.includes(key));
  if (other !== undefined) refuse(entry, `${other} is not for a ${type}`, keys.join(", "));
  const target = given.get("target") ?? refuse(entry, "it has no target", "target=PATH");
  return type === "tmpfs" ? tmpfsOf(target, given) : volumeOf(entry, type, target, given);
}

function fieldsOf(entry: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const part of entry.split(",")) {
    const [name = "", value] = part.split(/=(.*)/s);
    const key = Object.hasOwn(KEYS, name) ? KEYS[name] : undefined;
    if (key === undefined)
      return refuse(entry, `${JSON.stringify(name)} is no key`, Object.keys(KEYS).join(", "));
    if (fields.has(key)) refuse(entry, `${key} is given twice`, "once");
    if (value === undefined && key !== "readonly") refuse(entry, `${key} has no value`, `${key}=VALUE`);
    fields.set(key, value ?? "true");
  }
  return fields;
}

function tmpfsOf(target: string, given: ReadonlyMap<string, string>): Mounts {
  const options = ["size", "mode"].flatMap((key) => {
    const value = given.get(`tmpfs-${key}`);
    return value === undefined ? [] : [`${key}=${value}`];
  });
  return { tmpfs: [options.length === 0 ? target : `${target}:${options.join(",")}`] };
}

function volumeOf(entry: string, type: string, target: string, given: ReadonlyMap<string, string>): Mounts {
  const isBind = type === "bind";
  const allowed = isBind ? "source=PATH, an absolute one" : "source=NAME";
  const source = given.get("source") ?? refuse(entry, "it has no source", allowed);
  if (source.startsWith("/") !== isBind)
    refuse(entry, `${JSON.stringify(source)} is no source of a ${type}`, allowed);
  const readonly = given.get("readonly") ?? "false";
  if (!/^(?:true|false|1|0)$/.test(readonly))
    refuse(entry, `readonly is ${JSON.stringify(readonly)}`, "readonly, readonly=true, readonly=false");
  const propagation = given.get("bind-propagation");
  const volume = { source, target, readonly: readonly === "true" || readonly === "1" };
  return {
    // What propagation there is, the step's own check says.
    volumes: [{ ...volume, ...(propagation !== undefined && { propagation: propagation as "rprivate" }) }],
  };
}

function refuse(entry: string, problem: string, allowed: string): never {
  throw new UsageError(`--mount: ${JSON.stringify(entry)}: ${problem}; allowed: ${allowed}`);
}
