import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isContainerdError } from "../error.js";
import { familiarReference, formatReference, normalizeReference, parseReference } from "./reference.js";

const SHA256 = `sha256:${"0123456789abcdef".repeat(4)}`;
const letters = (text: string, least: number, most: number): fc.Arbitrary<string> =>
  fc
    .array(fc.constantFrom(...text), { minLength: least, maxLength: most })
    .map((characters) => characters.join(""));
const LOWER = "abcdefghijklmnopqrstuvwxyz0123456789";
const ANY = `${LOWER}ABCDEFGHIJKLMNOPQRSTUVWXYZ`;

// The grammar of the distribution project, rule by rule.
const label = fc
  .tuple(letters(ANY, 1, 4), letters(`${ANY}-`, 0, 6), letters(ANY, 1, 4))
  .map((parts) => parts.join(""));
const port = fc.option(fc.integer({ min: 1, max: 65_535 }), { nil: undefined });
const withPort = (host: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.tuple(host, port).map(([name, at]) => (at === undefined ? name : `${name}:${at}`));
const domain = fc.oneof(
  withPort(fc.array(label, { minLength: 2, maxLength: 4 }).map((labels) => labels.join("."))),
  withPort(fc.constantFrom("localhost", "127.0.0.1", "[::1]", "[2001:db8::7]")),
  fc.tuple(label, fc.integer({ min: 1, max: 65_535 })).map(([name, at]) => `${name}:${at}`),
);
const component = fc
  .tuple(
    letters(LOWER, 1, 6),
    fc.array(fc.tuple(fc.constantFrom(".", "_", "__", "-", "---"), letters(LOWER, 1, 6)), { maxLength: 2 }),
  )
  .map(([first, more]) => first + more.flat().join(""));
const path = fc
  .array(component, { minLength: 1, maxLength: 4 })
  // Alone in front of a slash it is a registry, by the same grammar.
  .filter(([first = "", ...more]) => more.length === 0 || (!first.includes(".") && first !== "localhost"))
  .map((components) => components.join("/"));
const tag = fc.tuple(letters(`${ANY}_`, 1, 1), letters(`${ANY}_.-`, 0, 127)).map((parts) => parts.join(""));
const digest = fc.oneof(
  letters("0123456789abcdef", 64, 64).map((hex) => `sha256:${hex}`),
  letters("0123456789abcdef", 128, 128).map((hex) => `sha512:${hex}`),
);
const optional = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(value, { nil: undefined });
const written = fc
  .tuple(optional(domain), path, optional(tag), optional(digest))
  .map(
    ([at, name, version, pin]) =>
      `${at === undefined ? "" : `${at}/`}${name}${version === undefined ? "" : `:${version}`}${pin === undefined ? "" : `@${pin}`}`,
  );

test.each([
  ["alpine", "docker.io/library/alpine:latest", "alpine"],
  ["user/app:1", "docker.io/user/app:1", "user/app:1"],
  ["docker.io/alpine", "docker.io/library/alpine:latest", "alpine"],
  ["index.docker.io/library/alpine:3", "docker.io/library/alpine:3", "alpine:3"],
  ["localhost/app", "localhost/app:latest", "localhost/app"],
  ["localhost:5000/app", "localhost:5000/app:latest", "localhost:5000/app"],
  ["Host/app", "Host/app:latest", "Host/app"],
  ["[::1]:5000/a/b:t", "[::1]:5000/a/b:t", "[::1]:5000/a/b:t"],
  [`alpine@${SHA256}`, `docker.io/library/alpine@${SHA256}`, `alpine@${SHA256}`],
  [`alpine:latest@${SHA256}`, `docker.io/library/alpine:latest@${SHA256}`, `alpine:latest@${SHA256}`],
])("%s is %s", (text, full, familiar) => {
  expect(normalizeReference(text)).toBe(full);
  expect(familiarReference(parseReference(text))).toBe(familiar);
});

test("whatever the grammar makes is read, and reads the same from both of its forms", () => {
  fc.assert(
    fc.property(written, (text) => {
      const reference = parseReference(text);
      expect(parseReference(formatReference(reference))).toEqual(reference);
      expect(parseReference(familiarReference(reference))).toEqual(reference);
    }),
    { numRuns: 2_000 },
  );
});

test("its parts are those that it was made of", () => {
  fc.assert(
    fc.property(domain, path, tag, digest, (at, name, version, pin) => {
      expect(parseReference(`${at}/${name}:${version}@${pin}`)).toEqual({
        domain: at,
        path: name,
        tag: version,
        digest: pin,
      });
    }),
  );
});

test("what is in full stays as it is", () => {
  fc.assert(
    fc.property(written, (text) => {
      const full = normalizeReference(text);
      expect(normalizeReference(full)).toBe(full);
      expect(full.startsWith("docker.io/") && full.split("/").length === 2).toBe(false);
    }),
  );
});

test("any other text is refused in our own words, and never read differently a second time", () => {
  const near = fc
    .tuple(
      written,
      fc.nat(),
      fc.constantFrom("@", ":", "/", "//", "..", " ", "\n", "\0", "A", "é", "", "%2f"),
    )
    .map(([text, at, what]) => {
      const cut = at % (text.length + 1);
      return text.slice(0, cut) + what + text.slice(cut + (at % 2));
    });
  fc.assert(
    fc.property(fc.oneof(fc.string(), near), (text) => {
      let full: string;
      try {
        full = normalizeReference(text);
      } catch (reason) {
        expect(isContainerdError(reason, "invalid-argument")).toBe(true);
        expect((reason as Error).message).toMatch(/^image: /);
        return;
      }
      expect(normalizeReference(full)).toBe(full);
      expect(full).toMatch(/^[\w.:[\]-]+\/[a-z0-9._/-]+(?::[\w.-]+)?(?:@sha(?:256|512):[0-9a-f]+)?$/);
    }),
    { numRuns: 3_000 },
  );
});

describe("bad input 15: a reference that is refused", () => {
  test.each([
    ["https://registry.example.com/app", "scheme"],
    ["docker://app", "scheme"],
    ["user:canary@registry.example.com/app", "digest"],
    ["user:canary@registry.example.com/app@sha256:x", "more than one @"],
    ["https://user:canary@registry.example.com/app", "scheme"],
    ["registry.example.com/App", "upper case"],
    ["app/Web:1", "upper case"],
    ["app:one:two", "tag"],
    ["app:one@sha256:beef", "digest"],
    [`app@${SHA256}:latest`, "digest"],
    [`app@${SHA256}@${SHA256}`, "more than one @"],
    ["app@md5:d41d8cd98f00b204e9800998ecf8427e", "digest"],
    [`app@${SHA256.toUpperCase()}`, "digest"],
    [`app:${"t".repeat(129)}`, "tag"],
    ["app:.hidden", "tag"],
    ["app:", "tag"],
    ["app@", "digest"],
    ["", "no image reference"],
    ["/app", "no image reference"],
    ["app/", "no image reference"],
    ["a//b", "no image reference"],
    ["a/../b", "no image reference"],
    ["../app", "registry that is none"],
    ["host:99999999/app", "registry that is none"],
    ["-host.example/app", "registry that is none"],
    ["ho_st.example/app", "registry that is none"],
    ["app name", "no image reference"],
    ["app\n", "no image reference"],
    ["app:1\r\nHost: evil", "tag"],
    [`${"a".repeat(260)}`, "255"],
  ])("%j", (text, problem) => {
    let told: unknown;
    try {
      parseReference(text);
    } catch (reason) {
      told = reason;
    }
    expect(told).toMatchObject({ name: "ContainerdError", kind: "invalid-argument" });
    const { message } = told as Error;
    expect(message).toMatch(/^image: .*; allowed: /s);
    expect(message).toContain(problem);
    expect(message).not.toContain("canary");
  });
});
