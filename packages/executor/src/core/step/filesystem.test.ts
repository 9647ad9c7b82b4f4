import { FUZZ_RUNS } from "@wfe-containerd/test-infra/fuzz";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isExecutorError } from "../../error.js";
import { parseStep } from "./parse-step.js";

const least = { name: "s", image: "alpine" };
const part = fc
  .string({ unit: fc.constantFrom(..."abcXYZ019-_. é*$("), minLength: 1, maxLength: 8 })
  .filter((each) => each !== "." && each !== "..");
const path = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => `/${parts.join("/")}`);
const target = path.filter((each) => !/^\/(?:proc|sys|dev)(?:\/|$)/.test(each));
const name = fc
  .tuple(
    fc.constantFrom(..."abcXYZ019"),
    fc.string({ unit: fc.constantFrom(..."abcXYZ019-_."), maxLength: 62 }),
  )
  .map((parts) => parts.join(""));
/** Writes the same path in another way. */
const slashed = (given: fc.Arbitrary<string>) =>
  fc
    .tuple(given, fc.constantFrom("/", "//", "///"), fc.constantFrom("", "/", "//"))
    .map(([plain, between, end]) => ({ plain, written: plain.replaceAll("/", between) + end }));

describe("volumes", () => {
  test("mean the same as text and as an object, and their paths are written in one way", () => {
    fc.assert(
      fc.property(slashed(path), slashed(target), fc.boolean(), (from, to, readonly) => {
        const text = `${from.written}:${to.written}${readonly ? ":ro" : ""}`;
        const object = { source: from.written, target: to.written, readonly };
        const [asText] = parseStep({ ...least, volumes: [text] }).volumes;
        const [asObject] = parseStep({ ...least, volumes: [object] }).volumes;
        expect(asText).toEqual(asObject);
        expect(asText).toMatchObject({ source: from.plain, target: to.plain, readonly });
      }),
    );
  });

  test("with a name as source are volumes by name", () => {
    fc.assert(
      fc.property(name, target, (source, to) => {
        const { volumes, namedVolumes } = parseStep({ ...least, volumes: [`${source}:${to}`] });
        expect(volumes).toEqual([]);
        expect(namedVolumes).toEqual([expect.objectContaining({ name: source, target: to })]);
      }),
    );
  });

  test("are never over the kernel's own, over the root, or reached by ..", () => {
    const piece = fc.oneof(
      fc.constantFrom("", ".", "..", "proc", "sys", "dev", "\0", "x", "x:ro"),
      fc.string(),
    );
    const anyPath = fc.array(piece, { maxLength: 5 }).map((parts) => parts.join("/"));
    fc.assert(
      fc.property(anyPath, fc.constantFrom("", "/"), (given, start) => {
        for (const kind of ["volumes", "tmpfs", "caches"] as const) {
          const written = kind === "volumes" ? { source: "/s" } : kind === "caches" ? { name: "c" } : {};
          const step = attempt({ [kind]: [{ ...written, target: start + given }] });
          const taken = step?.[kind][0]?.target;
          if (taken === undefined) continue;
          expect(taken).toMatch(/^(?:\/[^/\0]+)+$/);
          expect(taken).not.toMatch(/^\/(?:proc|sys|dev)(?:\/|$)|(?:^|\/)\.\.?(?:\/|$)/);
        }
      }),
      { numRuns: FUZZ_RUNS },
    );
  });

  test("on one place twice are refused, however it is written, and whatever they are", () => {
    const forms = [
      (to: string) => ({ volumes: [{ source: "/s", target: to }] }),
      (to: string) => ({ volumes: [{ source: "named", target: to }] }),
      (to: string) => ({ tmpfs: [{ target: to }] }),
      (to: string) => ({ caches: [{ name: "c", target: to }] }),
      (to: string) => ({ secrets: [{ name: "s", target: to }] }),
    ];
    fc.assert(
      fc.property(slashed(target), fc.constantFrom(...forms), fc.constantFrom(...forms), (to, one, other) => {
        const [a, b] = [one(to.plain), other(to.written)] as Record<string, object[]>[];
        const merged = Object.keys({ ...a, ...b }).map((key) => [
          key,
          [...(a?.[key] ?? []), ...(b?.[key] ?? [])],
        ]);
        expect(attempt(Object.fromEntries(merged))).toBeUndefined();
      }),
    );
  });

  test("take no options but those that are documented, in any order", () => {
    const known = ["ro", "rw", "noexec", "rprivate", "rslave"];
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.constantFrom(...known), fc.string({ maxLength: 6 })), { minLength: 1 }),
        (options) => {
          const written = options.join(",");
          const isKnown = written === "" || written.split(",").every((option) => known.includes(option));
          expect(attempt({ volumes: [`/s:/t:${written}`] }) !== undefined).toBe(isKnown);
        },
      ),
    );
  });
});

function attempt(change: object) {
  try {
    return parseStep({ ...least, ...change });
  } catch (reason) {
    if (!isExecutorError(reason, "invalid-step")) throw reason;
    return undefined;
  }
}

test.each([
  ["/t:mode=1777", { mode: 0o1777 }],
  ["/t:mode=01777", { mode: 0o1777 }],
  ["/t:mode=0700,uid=1000,gid=65534", { mode: 0o700, uid: 1000, gid: 65534 }],
  ["/t:rw,nosuid,nodev,noexec,size=64m", { readonly: false, noexec: true, sizeBytes: 64 * 1024 ** 2 }],
  ["/t:ro,exec", { readonly: true, noexec: false }],
  ["/t:", {}],
])("a tmpfs as docker writes it: %s", (text, expected) => {
  const { tmpfs } = parseStep({ name: "a", image: "b", tmpfs: [text] });
  expect(tmpfs).toEqual([{ target: "/t", ...expected }]);
});

test.each([
  ["a name of 255 bytes", `/${"x".repeat(255)}`, true],
  ["one of 256", `/${"x".repeat(256)}`, false],
  ["one of 256 in fewer characters", `/${"ü".repeat(128)}`, false],
  ["a path of 4095 bytes", `/${"x/".repeat(2047)}`.slice(0, 4095), true],
  ["one of 4097", `/${"x/".repeat(2048)}`, false],
])("a target has as many bytes as the kernel takes: %s", (_, target, isTaken) => {
  const parse = (): unknown => parseStep({ ...least, tmpfs: [target] });
  if (isTaken) expect(parse).not.toThrow();
  else expect(parse).toThrow("cannot be mounted on");
});
