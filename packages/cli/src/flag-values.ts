import { parseDuration } from "@wfe-containerd/executor";
import { UsageError } from "./failure.js";

/** Reads the number of a flag. */
export function number(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() === "" || Number.isNaN(value))
    throw new UsageError(
      `${flag}: ${JSON.stringify(text)} is not a number; allowed: digits, for example 100`,
    );
  return value;
}

/** For docker a size of 0 means no limit. */
export function unlessZero(size: string | undefined): string | undefined {
  return size !== undefined && /^0+ ?(?:[kmgt]i?)?b?$/i.test(size) ? undefined : size;
}

/** Turns `8:0:1m` into `{ "8:0": "1m" }`. */
export function rates(
  flag: string,
  entries: readonly string[] | undefined,
): Record<string, string> | undefined {
  return (
    entries &&
    Object.fromEntries(
      entries.map((entry) => {
        const at = entry.lastIndexOf(":");
        if (at < 1)
          throw new UsageError(
            `${flag}: ${JSON.stringify(entry)} has no colon; allowed: device:limit, for example 8:0:10m`,
          );
        return [entry.slice(0, at), entry.slice(at + 1)];
      }),
    )
  );
}

/** Turns `8:0:1000` into `{ "8:0": 1000 }`. */
export function operations(
  flag: string,
  entries: readonly string[] | undefined,
): Record<string, number> | undefined {
  const given = rates(flag, entries);
  return (
    given &&
    Object.fromEntries(Object.entries(given).map(([device, rate]) => [device, number(flag, rate) ?? 0]))
  );
}

/** Turns `nofile=1024` into a name and its limits. */
export function ulimit(entry: string): [string, { soft: number; hard: number }] {
  const [, name, soft, hard = soft] = /^([a-z]+)=(-?\d+)(?::(-?\d+))?$/.exec(entry) ?? [];
  if (name === undefined)
    throw new UsageError(
      `--ulimit: ${JSON.stringify(entry)} is not a limit; allowed: name=soft, name=soft:hard; for example nofile=1024`,
    );
  return [name, { soft: Number(soft), hard: Number(hard) }];
}

/** Docker accepts seconds; this also accepts durations with a unit. @returns milliseconds */
export function stopTimeout(text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) * 1000 : parseDuration(text);
  if (value === undefined)
    throw new UsageError(
      `--stop-timeout: ${JSON.stringify(text)} is not a duration; allowed: seconds, or 500ms, 10s, 1m`,
    );
  return value;
}

/**
 * Turns `name=value` into a map.
 *
 * @param standard the value of a name without `=`. Undefined: such a name is refused.
 */
export function pairs(
  flag: string,
  entries: readonly string[] | undefined,
  standard?: string,
): Record<string, string> | undefined {
  return (
    entries &&
    Object.fromEntries(
      entries.map((entry) => {
        const at = entry.indexOf("=");
        if (at > 0) return [entry.slice(0, at), entry.slice(at + 1)];
        if (at === -1 && standard !== undefined) return [entry, standard];
        throw new UsageError(
          `${flag}: ${JSON.stringify(entry)} is not name=value; allowed: for example team=build`,
        );
      }),
    )
  );
}
