import { ContainerdError } from "../error.js";

/** What a program runs on, in Go's words: `linux`, `amd64`; a variant where the architecture has some (`arm` `v7`). */
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

/** Brings the names that people and kernels use to Go's, and leaves out a variant that says nothing (`arm64/v8`, `amd64/v1`). */
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
      return variant === "v8" || variant === "8" ? "" : variant;
    case "amd64":
    case "x86_64":
    case "x86-64":
      return variant === "v1" ? "" : variant;
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

/** Reads `linux/amd64`, `linux/arm/v7`. @throws ContainerdError `invalid-argument`. */
export function parsePlatform(text: string): Platform {
  const [os, architecture, variant, ...more] = text.split("/");
  const isPlain = /^[A-Za-z0-9_.-]+(?:\/[A-Za-z0-9_.-]+){1,2}$/.test(text);
  if (os === undefined || architecture === undefined || more.length > 0 || !isPlain) {
    throw new ContainerdError(
      `platform: ${JSON.stringify(text)} is none; allowed: os/architecture[/variant]`,
      {
        kind: "invalid-argument",
      },
    );
  }
  return normalizePlatform({ os, architecture, ...(variant !== undefined && { variant }) });
}

/** `linux/amd64`, `linux/arm/v7`. */
export function formatPlatform({ os, architecture, variant }: Platform): string {
  return [os, architecture, ...(variant === undefined || variant === "" ? [] : [variant])].join("/");
}

/**
 * How well a host runs a program that was built for a platform: 0 is best, larger is worse, undefined is not at all. As containerd's
 * `platforms.Only`: an arm host takes older variants, and an arm64 host 32-bit arm after its own; amd64 takes lower levels.
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

function runnable({ os, architecture, variant }: Platform): Platform[] {
  const older = (name: string, from: string, lowest: number): Platform[] => {
    // What is no level has none below it, and a level of many digits must not make a list as long.
    if (!/^v\d$/.test(from)) return [{ os, architecture: name, variant: from }];
    const level = Number(from.slice(1));
    return Array.from({ length: Math.max(level - lowest + 1, 0) }, (_, step) => ({
      os,
      architecture: name,
      variant: `v${level - step}`,
    }));
  };
  switch (architecture) {
    case "arm":
      return older("arm", variant ?? "v7", 5);
    case "arm64":
      return [
        ...(variant === undefined ? [] : [{ os, architecture, variant }]),
        { os, architecture },
        ...older("arm", "v8", 5),
      ];
    case "amd64":
      return [...older("amd64", variant ?? "v1", 2), { os, architecture }];
    default:
      return [{ os, architecture, variant }];
  }
}
