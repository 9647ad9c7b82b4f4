import type { Image } from "@wfe-containerd/client";
import { UsageError } from "./failure.js";

/**
 * Reads the values of `images --filter`. All have to match.
 *
 * @returns whether an image is wanted, by its record and the name that is shown.
 * @throws UsageError for an unknown filter.
 */
export function parseImageFilters(filters: readonly string[]): (image: Image, name: string) => boolean {
  const tests = filters.map(parseFilter);
  return (image, name) => tests.every((test) => test(image, name));
}

function parseFilter(filter: string): (image: Image, name: string) => boolean {
  const [, key, value = ""] = /^(reference|label)=(.+)$/s.exec(filter) ?? [];
  if (key === "label") {
    const [label = "", text] = value.split(/=(.*)/s);
    return ({ labels }) => Object.hasOwn(labels, label) && (text === undefined || labels[label] === text);
  }
  if (key === "reference") {
    const pattern = toPattern(value);
    return (image, name) => pattern.test(name) || pattern.test(image.name);
  }
  throw new UsageError(
    `--filter: ${JSON.stringify(filter)} is an unknown filter; allowed: reference=NAME, label=KEY, label=KEY=VALUE; example: --filter reference=alpine`,
  );
}

/** A name without a tag stands for all its tags. `*` stands for any characters, also for a slash. */
function toPattern(name: string): RegExp {
  const parts = name.split("*").map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}(?::[^/:@]+)?(?:@.*)?$`, "s");
}
