import type { ListedStep } from "@wfe-containerd/executor";
import { UsageError } from "./failure.js";

/** A step with the labels of its container. */
export interface LabeledStep extends Pick<ListedStep, "id" | "name" | "image" | "status"> {
  readonly labels: Readonly<Record<string, string>>;
}

const KEYS = ["id", "name", "status", "ancestor", "label"] as const;
type FilterKey = (typeof KEYS)[number];
/** docker's words for statuses that have another name here. */
const STATUSES: Readonly<Record<string, string>> = { exited: "stopped", dead: "none" };
const KNOWN_STATUSES = ["created", "running", "paused", "pausing", "stopped", "unknown", "none"];

/**
 * Reads the values of `ps --filter`, as docker means them: of the same key one has to match (of labels all),
 * of different keys all.
 *
 * @throws UsageError for an unknown key or status.
 */
export function parseStepFilters(filters: readonly string[]): (step: LabeledStep) => boolean {
  const parsed = filters.map(parseFilter);
  return (step) =>
    KEYS.every((key) => {
      const values = parsed.filter((filter) => filter.key === key).map(({ value }) => value);
      if (values.length === 0) return true;
      const test = (value: string): boolean => matches(step, key, value);
      return key === "label" ? values.every(test) : values.some(test);
    });
}

function parseFilter(filter: string): { readonly key: FilterKey; readonly value: string } {
  const [key = "", value = ""] = filter.split(/=(.*)/s);
  const known = KEYS.find((each) => each === key);
  if (known === undefined || value === "")
    throw new UsageError(
      `--filter: ${JSON.stringify(filter)} is an unknown filter; allowed: ${KEYS.map((each) => `${each}=...`).join(", ")}; example: --filter name=build`,
    );
  if (known !== "status") return { key: known, value };
  const status = STATUSES[value] ?? value;
  if (!KNOWN_STATUSES.includes(status))
    throw new UsageError(
      `--filter: status=${value} is not a status; allowed: ${KNOWN_STATUSES.join(", ")}, and docker's exited`,
    );
  return { key: known, value: status };
}

function matches(step: LabeledStep, key: FilterKey, value: string): boolean {
  switch (key) {
    case "id":
      return step.id.startsWith(value) || step.id.startsWith(`wfe-${value}`);
    case "name":
      return step.name.includes(value);
    case "status":
      return step.status === value;
    case "ancestor":
      return imageMatches(step.image, value);
    case "label": {
      const [label = "", text] = value.split(/=(.*)/s);
      return Object.hasOwn(step.labels, label) && (text === undefined || step.labels[label] === text);
    }
  }
}

/** The record has an image's full name: `docker.io/library/alpine:3.20` is also alpine:3.20 and alpine. */
function imageMatches(image: string, value: string): boolean {
  const short = image.replace(/^docker\.io\/(?:library\/)?/, "");
  return [image, short].some((name) => name === value || name.replace(/:[^/:]+$/, "") === value);
}
