import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ExecutorError } from "../../error.js";
import { neededUserFiles, parseGroupAdd, parseImageUser, parseUser, resolveUser } from "./user.js";
import { MAX_USER_FILE_BYTES, parseGroups, parsePasswd } from "./user-files.js";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

const FILES = {
  passwd: bytes(
    [
      "root:x:0:0:root:/root:/bin/sh",
      "# a comment",
      "broken:x:one:1::/:",
      "short:x:5",
      "_apt:x:42:65534::/nonexistent:/usr/sbin/nologin",
      "dev:x:1000:1000:Dev,,,:/home/dev:/bin/bash",
      "dev:x:1001:1001:a second one:/:/bin/sh",
      "huge:x:4294967295:0::/:/bin/sh",
      "+nis::::::",
      "",
    ].join("\n"),
  ),
  group: bytes(
    [
      "root:x:0:",
      "docker:x:999:dev,other",
      "dev:x:1000:",
      "wheel:x:10:root,dev",
      "bad:x:ten:dev",
      "users:x:100:notdev",
    ].join("\n"),
  ),
};

describe("parseUser", () => {
  test.each([
    ["0", { user: 0 }],
    ["1000:1000", { user: 1000, group: 1000 }],
    ["dev", { user: "dev" }],
    ["dev:docker", { user: "dev", group: "docker" }],
    ["1000:docker", { user: 1000, group: "docker" }],
    ["_apt", { user: "_apt" }],
    ["machine$", { user: "machine$" }],
    ["CORP\\someone", { user: "CORP\\someone" }],
    ["2147483647", { user: 2147483647 }],
  ])("%s", (text, expected) => {
    expect(parseUser(text)).toEqual(expected);
  });

  test.each([
    "",
    ":",
    "dev:",
    ":dev",
    "a:b:c",
    "-1",
    "+1",
    "2147483648",
    "0:2147483648",
    "99999999999999999999",
    "a b",
    "a\n",
    "a,b",
    "../x",
    "ｄev",
  ])("refuses %j", (text) => {
    expect(() => parseUser(text)).toThrow(ExecutorError);
  });

  test("any text is read or refused, and what is read has sound ids", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9a-z_:+-]{0,16}$/)), (text) => {
        let reference: ReturnType<typeof parseUser>;
        try {
          reference = parseUser(text);
        } catch (error) {
          expect(error).toBeInstanceOf(ExecutorError);
          return;
        }
        for (const identity of [reference.user, reference.group ?? 0]) {
          if (typeof identity === "number") expect(identity).toBeLessThanOrEqual(2147483647);
          else expect(identity).not.toMatch(/[:,\s\0]|^\d*$/);
        }
      }),
    );
  });

  test("an image's empty USER is root", () => {
    expect(parseImageUser("")).toEqual({ user: 0 });
    expect(parseImageUser(undefined)).toEqual({ user: 0 });
    expect(parseImageUser("dev")).toEqual({ user: "dev" });
    expect(() => parseImageUser("a:b:c")).toThrow(/^image: /);
  });
});

describe("resolveUser", () => {
  test("a uid alone has its group from passwd, and its supplementary ones", () => {
    expect(resolveUser({ user: 1000 }, FILES)).toEqual({ uid: 1000, gid: 1000, additionalGids: [999, 10] });
  });

  test("a uid that passwd does not list has group 0 and no others", () => {
    expect(resolveUser({ user: 7777 }, FILES)).toEqual({ uid: 7777, gid: 0, additionalGids: [] });
    expect(resolveUser({ user: 1000 }, {})).toEqual({ uid: 1000, gid: 0, additionalGids: [] });
  });

  test("uid and gid are taken as they are", () => {
    expect(resolveUser({ user: 1000, group: 5 }, FILES)).toEqual({ uid: 1000, gid: 5, additionalGids: [] });
  });

  test("of two entries with a name, the first counts", () => {
    expect(resolveUser({ user: "dev" }, FILES)).toEqual({ uid: 1000, gid: 1000, additionalGids: [999, 10] });
  });

  test("a group that is given stands alone", () => {
    expect(resolveUser({ user: "dev", group: "docker" }, FILES)).toEqual({
      uid: 1000,
      gid: 999,
      additionalGids: [],
    });
    expect(resolveUser({ user: 5, group: "wheel" }, FILES)).toEqual({ uid: 5, gid: 10, additionalGids: [] });
  });

  test("further groups are added, by id and by name, each once", () => {
    expect(resolveUser({ user: "dev" }, FILES, [4, "users", "wheel"]).additionalGids).toEqual([
      999, 10, 4, 100,
    ]);
  });

  test.each(["nobody", "broken", "short", "huge", "+nis"])("there is no user %s", (name) => {
    expect(() => resolveUser({ user: name }, FILES)).toThrow(`the image has no user "${name}"`);
  });

  test("there is no such group", () => {
    expect(() => resolveUser({ user: 0, group: "bad" }, FILES)).toThrow('the image has no group "bad"');
    expect(() => resolveUser({ user: 0, group: 0 }, FILES, ["nope"])).toThrow(
      /^group_add: .*no group "nope"/,
    );
  });

  test("only the files that it looks at are asked for", () => {
    expect(neededUserFiles({ user: 65534, group: 65534 })).toEqual({ passwd: false, group: false });
    expect(neededUserFiles({ user: 65534, group: 65534 }, ["wheel"])).toEqual({ passwd: false, group: true });
    expect(neededUserFiles({ user: 1000 })).toEqual({ passwd: true, group: true });
    expect(neededUserFiles({ user: "dev", group: 5 })).toEqual({ passwd: true, group: false });
    expect(neededUserFiles({ user: 5, group: "dev" })).toEqual({ passwd: false, group: true });
  });

  test("a file that is too large is refused", () => {
    const passwd = new Uint8Array(MAX_USER_FILE_BYTES + 1);
    expect(() => resolveUser({ user: "dev" }, { passwd })).toThrow(
      /^image: \/etc\/passwd of the image has 1048577 bytes/,
    );
  });

  test("any bytes are read without a throw", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 512 }), (file) => {
        for (const { uid, gid } of parsePasswd(file))
          expect(Math.max(uid, gid)).toBeLessThanOrEqual(2147483647);
        for (const { gid } of parseGroups(file)) expect(gid).toBeLessThanOrEqual(2147483647);
      }),
    );
  });

  test("an entry is found among any others", () => {
    const line = fc.stringMatching(/^[a-z0-9:,#+ -]{0,20}$/).filter((text) => !text.startsWith("target:"));
    fc.assert(
      fc.property(fc.array(line), fc.nat(2147483647), fc.array(line), (before, uid, after) => {
        const passwd = bytes([...before, `target:x:${uid}:7::/:`, ...after].join("\n"));
        expect(resolveUser({ user: "target", group: 1 }, { passwd }).uid).toBe(uid);
      }),
    );
  });
});

test("an entry of group_add is an id or a name", () => {
  expect(parseGroupAdd("44")).toBe(44);
  expect(parseGroupAdd(44)).toBe(44);
  expect(parseGroupAdd("video")).toBe("video");
  expect(() => parseGroupAdd("a:b")).toThrow(/^group_add: /);
  expect(() => parseGroupAdd(-1)).toThrow(ExecutorError);
});
