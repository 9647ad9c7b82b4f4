import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type RootEntry, walkPath } from "./path.js";

const file: RootEntry = { kind: "file", bytes: Buffer.from("x") };
const directory: RootEntry = { kind: "directory" };
const link = (target: string): RootEntry => ({ kind: "link", target });
const known = (entries: Record<string, RootEntry>) => new Map(Object.entries(entries));

describe("a path", () => {
  test("with unknown parts lists every path that it may lead through", () => {
    expect(walkPath("/etc/x/passwd", known({}))).toEqual({
      state: "unknown",
      paths: ["etc", "etc/x", "etc/x/passwd"],
    });
    expect(walkPath("etc//./passwd", known({ etc: directory }))).toEqual({
      state: "unknown",
      paths: ["etc/passwd"],
    });
    expect(walkPath("/etc/passwd", known({ etc: link("usr/etc") }))).toEqual({
      state: "unknown",
      paths: ["usr", "usr/etc", "usr/etc/passwd"],
    });
    expect(walkPath("/a/passwd", known({ "a/passwd": file }))).toEqual({ state: "unknown", paths: ["a"] });
  });

  test.each<[string, string, Record<string, RootEntry>, RootEntry]>([
    ["of a file", "/etc/passwd", { etc: directory, "etc/passwd": file }, file],
    ["of the root", "/", {}, directory],
    ["of nothing", "/etc/passwd", { etc: { kind: "absent" } }, { kind: "absent" }],
    ["below a file", "/etc/passwd", { etc: file }, { kind: "absent" }],
    ["back out of a file", "/etc/../a", { etc: file, a: file }, { kind: "absent" }],
    ["above the root", "/../../a", { a: file }, file],
    ["of a link out of the root", "/a", { a: link("../../../b"), b: file }, file],
    ["of an absolute link", "/d/a", { d: directory, "d/a": link("/b"), b: file }, file],
    ["of a dangling link", "/a", { a: link("b"), b: { kind: "absent" } }, { kind: "absent" }],
    [
      "with .. after a link, which leaves the directory that the link leads to",
      "/l/../a",
      { l: link("d/e"), d: directory, "d/e": directory, "d/a": file, a: directory },
      file,
    ],
    [
      "below what is hidden",
      "/a/b",
      { a: link("dev/x"), dev: { kind: "hidden", path: "/dev" } },
      { kind: "hidden", path: "/dev" },
    ],
    ["of a FIFO", "/a", { a: { kind: "special", type: "fifo" } }, { kind: "special", type: "fifo" }],
  ])("%s", (_, path, entries, entry) => {
    expect(walkPath(path, known(entries))).toEqual({ state: "found", entry });
  });

  test("through more links than the kernel follows is refused", () => {
    const chain = (length: number) =>
      known({
        ...Object.fromEntries(Array.from({ length }, (_, at) => [`l${at}`, link(`l${at + 1}`)])),
        [`l${length}`]: file,
      });
    expect(walkPath("/l0", chain(40))).toEqual({ state: "found", entry: file });
    expect(walkPath("/l0", chain(41))).toEqual({ state: "too-many-links" });
    expect(walkPath("/a", known({ a: link("a/b") }))).toEqual({ state: "too-many-links" });
    // This is a loop only if b is a directory.
    expect(walkPath("/a", known({ a: link("b/../a") }))).toMatchObject({ state: "unknown" });
    expect(walkPath("/a", known({ a: link("b/../a"), b: directory }))).toEqual({ state: "too-many-links" });
  });
});

test("answering what a walk asks leads to an end, and no question leaves the root", () => {
  const name = fc.constantFrom("a", "b", "..", ".", "", "c");
  const path = fc.array(name, { maxLength: 6 }).map((parts) => parts.join("/"));
  const entry = fc.oneof(
    fc.constantFrom(file, directory, directory, directory, { kind: "absent" } as const),
    path.map(link),
  );
  fc.assert(
    fc.property(path, fc.array(entry, { minLength: 64, maxLength: 64 }), (wanted, answers) => {
      const found = new Map<string, RootEntry>();
      for (let asked = 0; ; asked++) {
        const walk = walkPath(wanted, found);
        if (walk.state !== "unknown") return;
        const [first] = walk.paths;
        for (const each of walk.paths) expect(each).toMatch(/^[abc](?:\/[abc])*$/);
        // Everything above the first path is known. The other paths are guesses.
        found.set(first as string, answers[asked % answers.length] as RootEntry);
        expect(asked).toBeLessThan(1000);
      }
    }),
  );
});
