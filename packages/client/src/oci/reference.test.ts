import { FUZZ_RUNS } from "@wfe-containerd/test-infra/fuzz";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isContainerdError } from "../error.js";
import { familiarReference, formatReference, normalizeReference, parseReference } from "./reference.js";

const chars = (alphabet: string, min: number, max: number) =>
  fc.string({ unit: fc.constantFrom(...alphabet), minLength: min, maxLength: max });
const LOWER = "abcdefghijklmnopqrstuvwxyz0123456789";

const word = chars(LOWER, 1, 8);
/** A part of a path by the distribution grammar: words with separators between them. */
const part = fc
  .tuple(word, fc.array(fc.tuple(fc.constantFrom(".", "_", "__", "-", "---"), word), { maxLength: 2 }))
  .map(([first, rest]) => first + rest.flat().join(""));
const path = fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/"));
const host = fc.oneof(
  fc.constantFrom("localhost", "docker.io", "index.docker.io", "127.0.0.1:5000", "[::1]:5000", "UPPER"),
  fc.tuple(word, word, fc.integer({ min: 1, max: 65535 })).map(([a, b, port]) => `${a}.${b}:${port}`),
);
const tag = fc
  .tuple(chars(`${LOWER}ABC_`, 1, 1), chars(`${LOWER}ABC_.-`, 0, 20))
  .map(([first, rest]) => first + rest);
const digest = chars("0123456789abcdef", 64, 64).map((hex) => `sha256:${hex}`);
const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });

const reference = fc
  .record({ host: optional(host), path, tag: optional(tag), digest: optional(digest) })
  // Without a registry, a first part like this would be read as the registry.
  .filter((given) => given.host !== undefined || !/^(localhost|[^/]*\.[^/]*)\//.test(given.path))
  .map(
    (given) =>
      `${given.host === undefined ? "" : `${given.host}/`}${given.path}${given.tag === undefined ? "" : `:${given.tag}`}${given.digest === undefined ? "" : `@${given.digest}`}`,
  );

describe("what the grammar allows", () => {
  test("is read, and in full reads as the same", () => {
    fc.assert(
      fc.property(reference, (text) => {
        const parsed = parseReference(text);
        expect(parseReference(formatReference(parsed))).toEqual(parsed);
        expect(normalizeReference(normalizeReference(text))).toBe(normalizeReference(text));
        expect(formatReference(parsed).startsWith(`${parsed.domain}/${parsed.path}`)).toBe(true);
      }),
      { numRuns: FUZZ_RUNS },
    );
  });

  test("reads as the same in its short form", () => {
    fc.assert(
      fc.property(reference, (text) => {
        const parsed = parseReference(text);
        const short = familiarReference(parsed);
        expect(parseReference(short)).toEqual(parsed);
        expect(short.length).toBeLessThanOrEqual(formatReference(parsed).length);
      }),
      { numRuns: FUZZ_RUNS },
    );
  });

  const hex = "a".repeat(64);
  test.each([
    ["alpine", "docker.io/library/alpine:latest", "alpine"],
    ["alpine:3.20", "docker.io/library/alpine:3.20", "alpine:3.20"],
    ["user/app", "docker.io/user/app:latest", "user/app"],
    ["index.docker.io/library/alpine", "docker.io/library/alpine:latest", "alpine"],
    ["docker.io/user/app:1", "docker.io/user/app:1", "user/app:1"],
    ["localhost/app", "localhost/app:latest", "localhost/app"],
    ["localhost:5000/a/b/c:t", "localhost:5000/a/b/c:t", "localhost:5000/a/b/c:t"],
    ["registry.example/app", "registry.example/app:latest", "registry.example/app"],
    ["[2001:db8::1]:5000/app", "[2001:db8::1]:5000/app:latest", "[2001:db8::1]:5000/app"],
    [`app@sha256:${hex}`, `docker.io/library/app@sha256:${hex}`, `app@sha256:${hex}`],
    [`app:1@sha256:${hex}`, `docker.io/library/app:1@sha256:${hex}`, `app:1@sha256:${hex}`],
    [`app:latest@sha256:${hex}`, `docker.io/library/app:latest@sha256:${hex}`, `app:latest@sha256:${hex}`],
    ["UPPER/app", "UPPER/app:latest", "UPPER/app"],
    [`library/${hex}`, `docker.io/library/${hex}:latest`, `library/${hex}`],
  ])("%s is %s, and %s for short", (text, full, short) => {
    expect(normalizeReference(text)).toBe(full);
    expect(familiarReference(parseReference(text))).toBe(short);
  });
});

describe("what it does not allow", () => {
  test.each([
    [""],
    [" alpine"],
    ["alpine "],
    ["https://docker.io/alpine"],
    ["docker://alpine"],
    ["user:password@registry.example/app"],
    ["Alpine"],
    ["registry.example/App"],
    ["app:"],
    ["app:a b"],
    ["app:-1"],
    [`app:${"t".repeat(129)}`],
    ["app@sha256:abc"],
    [`app@md5:${"a".repeat(32)}`],
    [`app@sha256:${"A".repeat(64)}`],
    [`app@sha256:${"a".repeat(64)}:hidden`],
    [`app@sha256:${"a".repeat(64)}@sha256:${"b".repeat(64)}`],
    ["a//b"],
    ["/a"],
    ["a/"],
    ["a..b"],
    ["a___b"],
    ["-a"],
    ["../a"],
    ["registry.example:port/app"],
    ["registry.example:123456/app"],
    ["-registry.example/app"],
    [`${"a".repeat(256)}`],
    ["a".repeat(64)],
    ["app\n"],
    ["app\0"],
  ])("%j is refused", (text) => {
    expect(() => parseReference(text)).toThrow(/^image: .*allowed: /s);
  });

  test("is refused with our own error, and without the password in it", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.tuple(reference, fc.string()).map((all) => all.join("")),
        ),
        (text) => {
          try {
            parseReference(text);
          } catch (error) {
            expect(isContainerdError(error, "invalid-argument")).toBe(true);
          }
        },
      ),
      { numRuns: FUZZ_RUNS },
    );
    expect(() => parseReference("user:hunter2@registry.example/app")).toThrow(/^((?!hunter2).)*$/s);
  });
});
