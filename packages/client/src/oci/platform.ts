import { refuse } from "../refuse.js";

/**
 * The platform that a program runs on, in Go's names: `linux`, `amd64`. Some architectures also have a
 * variant: `arm` `v7`.
 */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string | undefined;
}

const ARCHITECTURES: ReadonlyMap<string, string> = new Map([
  ["x86_64", "amd64"],
  ["x86-64", "amd64"],
  ["aarch64", "arm64"],
  ["armhf", "arm"],
  ["armel", "arm"],
  ["i386", "386"],
]);

const ARM64_VARIANTS: ReadonlyMap<string, string> = new Map([
  ["8", ""],
  ["v8", ""],
  ["v8.0", ""],
  ["9", "v9"],
  ["9.0", "v9"],
  ["v9.0", "v9"],
]);

/**
 * Translates other common names to Go's: `x86_64` becomes `amd64`. Removes a variant that is the default:
 * `arm64/v8`, `amd64/v1`.
 */
export function normalizePlatform({ os, architecture, variant }: Platform): Platform {
  const name = architecture.toLowerCase();
  const normal = {
    os: os.toLowerCase() === "macos" ? "darwin" : os.toLowerCase(),
    architecture: ARCHITECTURES.get(name) ?? name,
  };
  const kept = normalVariant(name, variant?.toLowerCase() ?? "");
  return kept === "" ? normal : { ...normal, variant: kept };
}

function normalVariant(architecture: string, variant: string): string {
  switch (architecture) {
    case "aarch64":
    case "arm64":
      return ARM64_VARIANTS.get(variant) ?? variant;
    case "amd64":
    case "x86_64":
    case "x86-64":
      return variant === "v1" ? "" : variant;
    case "i386":
      return "";
    case "armhf":
      return "v7";
    case "armel":
      return "v6";
    case "arm":
      return variant === "" || variant === "7" ? "v7" : /^[5-8]$/.test(variant) ? `v${variant}` : variant;
    default:
      return variant;
  }
}

/**
 * Reads `linux/amd64` or `linux/arm/v7`.
 *
 * @throws ContainerdError `invalid-argument`.
 */
export function parsePlatform(text: string): Platform {
  const [os, architecture, variant, ...more] = text.split("/");
  const isPlain = /^[A-Za-z0-9_.-]+(?:\/[A-Za-z0-9_.-]+){1,2}$/.test(text);
  if (os === undefined || architecture === undefined || more.length > 0 || !isPlain) {
    refuse(
      `platform: ${JSON.stringify(text)} is not a platform`,
      "os/architecture[/variant], for example linux/arm64",
    );
  }
  return normalizePlatform({ os, architecture, ...(variant !== undefined && { variant }) });
}

/** Writes a platform as `linux/amd64` or `linux/arm/v7`. */
export function formatPlatform({ os, architecture, variant }: Platform): string {
  return [os, architecture, ...(variant === undefined || variant === "" ? [] : [variant])].join("/");
}

/**
 * How well a host runs programs of a platform: 0 is best, a larger number is worse, undefined means not at
 * all. An arm host also runs older variants. An arm64 host also runs older versions, then 32-bit arm. An
 * amd64 host also runs lower levels, then 386. Source: `Only` of containerd/platforms.
 */
export function rankPlatform(host: Platform, offered: Platform): number | undefined {
  const own = normalizePlatform(host);
  const theirs = normalizePlatform(offered);
  if (own.os !== theirs.os) return undefined;
  const rank = runnable(own).findIndex(
    ({ architecture, variant }) =>
      architecture === theirs.architecture && (variant ?? "") === (theirs.variant ?? ""),
  );
  return rank === -1 ? undefined : rank;
}

type Machine = Pick<Platform, "architecture" | "variant">;

/** What a normalized host runs, best first. */
function runnable({ architecture, variant }: Machine): Machine[] {
  switch (architecture) {
    case "arm":
      return levels("arm", variant ?? "v7", 5);
    case "arm64":
      return [...arm64(variant ?? "v8"), { architecture }, ...levels("arm", "v8", 5)];
    case "amd64":
      return [...levels("amd64", variant ?? "v1", 2), { architecture }, { architecture: "386" }];
    default:
      return [{ architecture, variant }];
  }
}

/**
 * All levels from one level down. A variant that is not a level stands alone. A level has one digit, so that
 * an image cannot demand a huge list.
 */
function levels(architecture: string, from: string, lowest: number): Machine[] {
  if (!/^v\d$/.test(from)) return [{ architecture, variant: from }];
  const level = Number(from.slice(1));
  return Array.from({ length: Math.max(level - lowest + 1, 0) }, (_, step) => ({
    architecture,
    variant: `v${level - step}`,
  }));
}

/** The variants above the plain v8. Arm's v9.x includes all of v8.(x+5), up to v8.9, the highest v8. */
function arm64(variant: string): Machine[] {
  const [, major, digit = "0"] = /^v([89])(?:\.(\d))?$/.exec(variant) ?? [];
  const minor = Number(digit);
  if (major === undefined) return [{ architecture: "arm64", variant }];
  const down = (version: number, from: number, to: number): Machine[] =>
    Array.from({ length: from - to + 1 }, (_, step) => {
      const each = from - step;
      return { architecture: "arm64", variant: `v${version}${each === 0 ? "" : `.${each}`}` };
    });
  return major === "8" ? down(8, minor, 1) : [...down(9, minor, 0), ...down(8, Math.min(minor + 5, 9), 1)];
}
