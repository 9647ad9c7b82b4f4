import { expect, test } from "vitest";
import { besideContainer, checkSnapshotName, whiteouts } from "./session-snapshot.js";

test("a second mount never writes where the container writes", () => {
  const options = [
    "index=off",
    "workdir=/s/9/work",
    "upperdir=/s/9/fs",
    "lowerdir=/s/2/fs:/s/1/fs",
    "volatile",
  ];
  const overlay = { type: "overlay", source: "overlay", options };
  expect(besideContainer([overlay])).toEqual([
    { ...overlay, options: ["index=off", "lowerdir=/s/9/fs:/s/2/fs:/s/1/fs", "ro"] },
  ]);
  const bind = { type: "bind", source: "/s/1/fs", options: ["rw", "rbind"] };
  expect(besideContainer([bind])).toEqual([bind]);
});

test("scripts and the places of secrets are removed from a snapshot", () => {
  const names = whiteouts([
    { type: "directory", name: ".wfe-secrets", mode: 0o755, uid: 0, gid: 0 },
    { type: "symlink", name: "run/secrets", target: "/.wfe-secrets/0" },
    { type: "symlink", name: "keys", target: "/.wfe-secrets/1" },
  ]).map(({ name }) => name);
  expect(names).toEqual([".wh..wfe-script", ".wh..wfe-secrets", "run/.wh.secrets", ".wh.keys"]);
});

test.each(["a", "warm-cache_1.2", "0".repeat(63)])("a snapshot can be called %s", (name) => {
  expect(() => checkSnapshotName("name", name)).not.toThrow();
});

test.each(["", "-a", "a/b", "a b", "ä", "0".repeat(64), 1, undefined, null])(
  "%j is no name of a snapshot",
  (name) => {
    expect(() => checkSnapshotName("name", name)).toThrow(
      expect.objectContaining({
        kind: "refused",
        message: expect.stringMatching(/^name: .* is not the name of a snapshot; allowed: .*; example: /),
      }),
    );
  },
);
