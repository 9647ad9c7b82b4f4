import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isContainerdError } from "../error.js";
import { formatPlatform, normalizePlatform, type Platform, parsePlatform, rankPlatform } from "./platform.js";

const word = fc
  .array(fc.constantFrom(..."abcXYZ0189_.-"), { minLength: 1, maxLength: 8 })
  .map((characters) => characters.join(""));
const platform: fc.Arbitrary<Platform> = fc
  .tuple(
    fc.oneof(fc.constantFrom("linux", "Linux", "windows", "macos"), word),
    fc.oneof(fc.constantFrom("amd64", "x86_64", "arm64", "aarch64", "arm", "armhf", "armel", "i386"), word),
    fc.option(fc.oneof(fc.constantFrom("v1", "v2", "v5", "v6", "v7", "v8", "7", "8"), word), {
      nil: undefined,
    }),
  )
  .map(([os, architecture, variant]) => ({ os, architecture, ...(variant !== undefined && { variant }) }));

test.each([
  ["linux/amd64", { os: "linux", architecture: "amd64" }],
  ["Linux/x86_64", { os: "linux", architecture: "amd64" }],
  ["linux/amd64/v1", { os: "linux", architecture: "amd64" }],
  ["linux/amd64/v3", { os: "linux", architecture: "amd64", variant: "v3" }],
  ["linux/aarch64", { os: "linux", architecture: "arm64" }],
  ["linux/arm64/v8", { os: "linux", architecture: "arm64" }],
  ["linux/arm64/8", { os: "linux", architecture: "arm64" }],
  ["linux/arm", { os: "linux", architecture: "arm", variant: "v7" }],
  ["linux/arm/6", { os: "linux", architecture: "arm", variant: "v6" }],
  ["linux/armhf", { os: "linux", architecture: "arm", variant: "v7" }],
  ["linux/armel", { os: "linux", architecture: "arm", variant: "v6" }],
  ["linux/i386", { os: "linux", architecture: "386" }],
  ["macOS/arm64", { os: "darwin", architecture: "arm64" }],
])("%s is read as %j", (text, expected) => {
  expect(parsePlatform(text)).toEqual(expected);
});

test("what is printed is read back as the same", () => {
  fc.assert(
    fc.property(platform, (given) => {
      const normal = normalizePlatform(given);
      expect(parsePlatform(formatPlatform(normal))).toEqual(normal);
      expect(parsePlatform(formatPlatform(given))).toEqual(normal);
    }),
    { numRuns: 1_000 },
  );
});

test("what is normal stays so, and every platform runs its own programs best", () => {
  fc.assert(
    fc.property(platform, (given) => {
      const normal = normalizePlatform(given);
      expect(normalizePlatform(normal)).toEqual(normal);
      const isKnownArm = normal.architecture !== "arm" || /^v[5-8]$/.test(normal.variant ?? "");
      const isKnownAmd = normal.architecture !== "amd64" || /^v[2-9]$/.test(normal.variant ?? "v2");
      if (isKnownArm && isKnownAmd) expect(rankPlatform(given, given)).toBe(0);
    }),
    { numRuns: 1_000 },
  );
});

test("no other operating system's programs run", () => {
  fc.assert(
    fc.property(platform, platform, (host, offered) => {
      fc.pre(normalizePlatform(host).os !== normalizePlatform(offered).os);
      expect(rankPlatform(host, offered)).toBeUndefined();
    }),
  );
});

describe("in order of preference", () => {
  test.each([
    ["linux/arm/v7", ["linux/arm/v7", "linux/arm/v6", "linux/arm/v5"]],
    ["linux/arm/v6", ["linux/arm/v6", "linux/arm/v5"]],
    ["linux/arm/v5", ["linux/arm/v5"]],
    ["linux/arm64", ["linux/arm64", "linux/arm/v8", "linux/arm/v7", "linux/arm/v6", "linux/arm/v5"]],
    ["linux/amd64", ["linux/amd64"]],
    ["linux/amd64/v3", ["linux/amd64/v3", "linux/amd64/v2", "linux/amd64"]],
    ["linux/s390x", ["linux/s390x"]],
  ])("%s runs %j and nothing else", (host, expected) => {
    const all = ["v5", "v6", "v7", "v8"].map((variant) => `linux/arm/${variant}`);
    const offered = ["linux/amd64", "linux/amd64/v2", "linux/amd64/v3", "linux/amd64/v4", "linux/386"];
    const candidates = [...all, ...offered, "linux/arm64", "linux/s390x", "windows/amd64"];
    const ranked = candidates
      .map((name) => ({ name, rank: rankPlatform(parsePlatform(host), parsePlatform(name)) }))
      .filter(({ rank }) => rank !== undefined)
      .toSorted((a, b) => Number(a.rank) - Number(b.rank));
    expect(ranked.map(({ name }) => name)).toEqual(expected);
  });
});

test("any other text is refused in our own words", () => {
  const near = fc
    .tuple(platform.map(formatPlatform), fc.constantFrom("/", "\n", " ", "//", "/v1/v2", ""), fc.boolean())
    .map(([text, more, isBefore]) => (isBefore ? more + text : text + more));
  fc.assert(
    fc.property(fc.oneof(fc.string(), near), (text) => {
      try {
        expect(formatPlatform(parsePlatform(text))).toMatch(
          /^[a-z0-9_.-]+\/[a-z0-9_.-]+(?:\/[a-z0-9_.-]+)?$/,
        );
      } catch (reason) {
        expect(isContainerdError(reason, "invalid-argument")).toBe(true);
        expect((reason as Error).message).toMatch(/^platform: .*; allowed: os\/architecture/s);
      }
    }),
    { numRuns: 1_000 },
  );
});
