import { type Finding, ok, warn } from "./finding.js";

/** A published weakness of a program that runs steps. */
interface Advisory {
  readonly id: string;
  /** The first version without it, for each branch that got a fix, oldest first. */
  readonly fixed: readonly string[];
}

/** When these tables were last compared with what the projects have published. */
const ADVISORIES_AS_OF = "2026-07";

/** Sources: github.com/containerd/containerd/security/advisories, and the notes of the releases. */
const CONTAINERD: readonly Advisory[] = [
  { id: "CVE-2023-25153", fixed: ["1.6.18"] },
  { id: "CVE-2023-25173", fixed: ["1.6.18"] },
  { id: "CVE-2024-40635", fixed: ["1.6.38", "1.7.27", "2.0.4"] },
  { id: "CVE-2024-25621", fixed: ["1.7.29", "2.0.7", "2.1.5"] },
  { id: "CVE-2025-64329", fixed: ["1.7.29", "2.0.7", "2.1.5"] },
  { id: "CVE-2026-46680", fixed: ["1.7.32", "2.0.9", "2.1.8", "2.2.4", "2.3.1"] },
  { id: "CVE-2026-53488", fixed: ["1.7.33", "2.0.10", "2.1.9", "2.2.5", "2.3.2"] },
];

/** Sources: github.com/opencontainers/runc/security/advisories, and the notes of the releases. */
const RUNC: readonly Advisory[] = [
  { id: "CVE-2023-27561", fixed: ["1.1.5"] },
  { id: "CVE-2024-21626", fixed: ["1.1.12"] },
  { id: "CVE-2024-45310", fixed: ["1.1.14"] },
  { id: "CVE-2025-31133", fixed: ["1.2.8", "1.3.3"] },
  { id: "CVE-2025-52565", fixed: ["1.2.8", "1.3.3"] },
  { id: "CVE-2025-52881", fixed: ["1.2.8", "1.3.3"] },
  { id: "CVE-2026-41579", fixed: ["1.3.6", "1.4.3"] },
];

/** @param version as containerd tells it, such as `1.6.20~ds1` or `v2.1.4`. */
export function checkContainerdVersion(version: string): Finding {
  return checkVersion("containerd", version, CONTAINERD);
}

/** @param version as `runc --version` prints it. */
export function checkRuncVersion(version: string): Finding {
  return checkVersion("runc", version, RUNC);
}

function checkVersion(program: string, version: string, advisories: readonly Advisory[]): Finding {
  const parsed = parse(version);
  if (parsed === undefined)
    return warn(program, `${version || "unknown"}: not a version number`, "compare it with the advisories");
  const known = advisories.filter(({ fixed }) => isAffected(parsed, fixed)).map(({ id }) => id);
  if (known.length === 0) return ok(program, `${version}; no known CVE as of ${ADVISORIES_AS_OF}`);
  const newest = advisories.at(-1)?.fixed ?? [];
  return warn(
    program,
    `${version} has known weaknesses: ${known.join(", ")}`,
    `update to ${newest.join(", ")} or newer. A distribution may have mended an old version: see its security tracker`,
  );
}

type Version = readonly [number, number, number];

/** Reads the numbers of a version. One before a release (`-rc.1`) counts as the release before it. */
function parse(version: string): Version | undefined {
  const [, major, minor, patch, sign] = /^v?(\d+)\.(\d+)\.(\d+)(-(?:rc|beta|alpha))?/.exec(version) ?? [];
  if (major === undefined) return undefined;
  return [Number(major), Number(minor), Number(patch) - (sign === undefined ? 0 : 0.5)];
}

/**
 * Whether a version is older than the fix of its branch. A branch older than all fixes is affected; one that
 * is newer than all began after the fix.
 */
function isAffected(version: Version, fixed: readonly string[]): boolean {
  const fixes = fixed.map(parse).filter((fix) => fix !== undefined);
  const own = fixes.find((fix) => fix[0] === version[0] && fix[1] === version[1]);
  if (own !== undefined) return compare(version, own) < 0;
  const newest = fixes.at(-1);
  return newest !== undefined && compare(version, newest) < 0;
}

function compare(a: Version, b: Version): number {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
}
