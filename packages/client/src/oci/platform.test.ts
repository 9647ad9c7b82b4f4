import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatPlatform, normalizePlatform, parsePlatform, rankPlatform } from "./platform.js";

const kind = fc.oneof(
  fc.tuple(fc.constantFrom("amd64", "x86_64"), fc.constantFrom(undefined, "v1", "v2", "v3")),
  fc.tuple(
    fc.constantFrom("arm64", "aarch64"),
    fc.constantFrom(undefined, "v8", "8", "v8.0", "v8.4", "v9", "9.0", "v9.3"),
  ),
  fc.tuple(fc.constant("arm"), fc.constantFrom(undefined, "v5", "v6", "v7", "7", "8")),
  fc.tuple(fc.constantFrom("armhf", "armel", "386", "riscv64"), fc.constant(undefined)),
);
const platform = fc
  .tuple(fc.constantFrom("linux", "windows", "darwin", "Linux", "macOS"), kind)
  .map(([os, [architecture, variant]]) => ({ os, architecture, variant }));

describe("a platform", () => {
  test("has one normal form, which is written and read as the same", () => {
    fc.assert(
      fc.property(platform, (given) => {
        const normal = normalizePlatform(given);
        expect(normalizePlatform(normal)).toEqual(normal);
        expect(parsePlatform(formatPlatform(normal))).toEqual(normal);
      }),
    );
  });

  test("runs what was built for it best", () => {
    fc.assert(
      fc.property(platform, (given) => {
        expect(rankPlatform(given, given)).toBe(0);
      }),
    );
  });

  test.each([
    ["linux/arm/v7", "linux/arm/v6", 1],
    ["linux/arm/v7", "linux/arm/v5", 2],
    ["linux/arm", "linux/arm/v7", 0],
    ["linux/arm/v6", "linux/arm/v7", undefined],
    ["linux/arm64", "linux/arm64/v8", 0],
    ["linux/arm64", "linux/arm/v8", 1],
    ["linux/arm64", "linux/arm/v7", 2],
    ["linux/arm64", "linux/amd64", undefined],
    ["linux/amd64", "linux/amd64/v2", undefined],
    ["linux/amd64/v3", "linux/amd64/v2", 1],
    ["linux/amd64/v3", "linux/amd64", 2],
    ["linux/amd64", "linux/386", 1],
    ["linux/amd64/v3", "linux/386", 3],
    ["linux/amd64", "linux/i386", 1],
    ["linux/386", "linux/amd64", undefined],
    ["linux/arm64", "linux/arm/v5", 4],
    ["linux/arm64", "linux/arm64/v8.0", 0],
    ["linux/arm64", "linux/arm64/v8.1", undefined],
    ["linux/arm64/v8.2", "linux/arm64/v8.2", 0],
    ["linux/arm64/v8.2", "linux/arm64/v8.1", 1],
    ["linux/arm64/v8.2", "linux/arm64", 2],
    ["linux/arm64/v8.2", "linux/arm/v8", 3],
    ["linux/arm64/v9.1", "linux/arm64/v9", 1],
    ["linux/arm64/v9.1", "linux/arm64/v8.6", 2],
    ["linux/arm64/v9.1", "linux/arm64/v8.7", undefined],
    ["linux/arm64/v9.1", "linux/arm64", 8],
    ["linux/arm64/v9.7", "linux/arm64/v8.9", 8],
    ["linux/arm64/none", "linux/arm64", 1],
    ["linux/amd64", "windows/amd64", undefined],
    ["linux/riscv64", "linux/riscv64", 0],
    ["linux/arm/v4294967295", "linux/arm/v4294967295", 0],
    ["linux/arm/v4294967295", "linux/arm/v7", undefined],
    ["linux/amd64/none", "linux/amd64/none", 0],
  ])("%s runs %s: %s", (host, offered, rank) => {
    expect(rankPlatform(parsePlatform(host), parsePlatform(offered))).toBe(rank);
  });

  test.each(["", "linux", "linux/", "/amd64", "linux/amd64/v2/x", "linux/am d64", "linux/amd64\n", "a\0/b"])(
    "%j is none",
    (text) => {
      expect(() => parsePlatform(text)).toThrow(/^platform: .*allowed: /s);
    },
  );
});
