import type { ContainerdEvent } from "@wfe-containerd/client";
import { UsageError } from "./failure.js";

/** An event, as `events` prints it. */
export interface EventRow {
  readonly time: string;
  /** As containerd names it: `/tasks/exit`. */
  readonly topic: string;
  /** What it is about: container, image, snapshot, content, namespace, sandbox. */
  readonly type: string;
  /** What happened to it: create, start, exit. */
  readonly event: string;
  /** The id or name of what it is about; empty if it has none. */
  readonly id: string;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
}

/** The fields that identify what an event is about, the first that is there. */
const IDS = ["containerId", "id", "name", "key", "digest", "sandboxId"];

/** @returns what is printed of an event. After a lost connection, that events may be missing. */
export function toEventRow({ timestamp, topic, type, payload }: ContainerdEvent): EventRow {
  const time = timestamp.toISOString();
  if (type === "gap")
    return { time, topic: "", type: "gap", event: "gap", id: "", attributes: { reason: payload.message } };
  const [, kind = "", event = ""] = topic.split("/");
  const attributes = type === "other" ? {} : flatten(payload as unknown as Record<string, unknown>);
  const key = IDS.find((name) => typeof attributes[name] === "string" && attributes[name] !== "");
  const id = key === undefined ? "" : String(attributes[key]);
  // A task's event repeats the container's id as that of its process.
  const others = Object.entries(attributes).filter(([, value]) => value !== id);
  return { time, topic, type: typeOf(kind), event, id, attributes: Object.fromEntries(others) };
}

/** docker has no word for a task: what happens to it happens to a container. */
function typeOf(kind: string): string {
  return kind === "tasks" ? "container" : kind.replace(/s$/, "");
}

/** The numbers, texts and labels of a message. What stands deeper is left out. */
function flatten(payload: Readonly<Record<string, unknown>>): Record<string, string | number | boolean> {
  const flat: Record<string, string | number | boolean> = {};
  for (const [key, value] of Object.entries(payload)) {
    if (key.startsWith("$")) continue;
    if (typeof value === "bigint") flat[key] = Number(value);
    else if (
      typeof value === "string" ? value !== "" : typeof value === "number" || typeof value === "boolean"
    )
      flat[key] = value as string | number | boolean;
    else if (key === "labels")
      for (const [label, text] of Object.entries((value ?? {}) as Record<string, string>)) flat[label] = text;
  }
  return flat;
}

/** `2026-01-31T12:00:00.000Z container start wfe-3f57 (pid=7)` */
export function eventLine({ time, type, event, id, attributes }: EventRow): string {
  const pairs = Object.entries(attributes).map(([key, value]) => `${key}=${value}`);
  return [time, type, event, id, pairs.length === 0 ? "" : `(${pairs.join(", ")})`]
    .filter((part) => part !== "")
    .join(" ");
}

const KEYS = ["type", "event", "container", "image", "topic", "label"] as const;
type FilterKey = (typeof KEYS)[number];

/**
 * Reads the values of `--filter`, as docker means them: of the same key one has to match, of different keys
 * all.
 *
 * @throws UsageError for an unknown key.
 */
export function parseEventFilters(filters: readonly string[]): (row: EventRow) => boolean {
  const byKey = new Map<FilterKey, string[]>();
  for (const filter of filters) {
    const [key = "", value] = filter.split(/=(.*)/s);
    if (!KEYS.some((each) => each === key) || value === undefined || value === "")
      throw new UsageError(
        `--filter: ${JSON.stringify(filter)} is an unknown filter; allowed: ${KEYS.map((each) => `${each}=...`).join(", ")}; example: --filter type=container --filter event=exit`,
      );
    byKey.set(key as FilterKey, [...(byKey.get(key as FilterKey) ?? []), value]);
  }
  // A gap is not filtered out: whatever was asked for may be missing.
  return (row) =>
    row.type === "gap" ||
    [...byKey].every(([key, values]) => values.some((value) => matches(row, key, value)));
}

function matches(row: EventRow, key: FilterKey, value: string): boolean {
  switch (key) {
    case "container":
      return row.type === "container" && row.id.startsWith(value);
    case "image":
      return (row.type === "image" && row.id === value) || row.attributes["image"] === value;
    case "label": {
      const [name = "", text] = value.split(/=(.*)/s);
      const found = Object.hasOwn(row.attributes, name) ? String(row.attributes[name]) : undefined;
      return found !== undefined && (text === undefined || found === text);
    }
    default:
      return row[key] === value;
  }
}
