import fc from "fast-check";
import { expect, test } from "vitest";
import { createCapabilities, parseCapabilities } from "./capabilities.js";
import { CAPABILITIES, DEFAULT_CAPABILITIES } from "./capability-names.js";

const none = { inheritable: [], ambient: [] };

/** The same names in bounding, permitted and effective. */
function held(names: readonly string[]): object {
  return { bounding: names, permitted: names, effective: names };
}

test("there are 41 capabilities, 14 of them root's by default", () => {
  expect(CAPABILITIES).toHaveLength(41);
  expect(CAPABILITIES.indexOf("CAP_SYS_ADMIN")).toBe(21);
  expect(CAPABILITIES.indexOf("CAP_CHECKPOINT_RESTORE")).toBe(40);
  expect(DEFAULT_CAPABILITIES).toHaveLength(14);
  expect(DEFAULT_CAPABILITIES.every((name) => CAPABILITIES.includes(name))).toBe(true);
});

test("root has the default ones, another user none", () => {
  expect(createCapabilities({ uid: 0 })).toEqual({ ...held(DEFAULT_CAPABILITIES), ...none });
  expect(createCapabilities({ uid: 1000 })).toEqual({ ...held([]), ...none });
});

test("a user who may gain privileges can gain root's, and has none", () => {
  expect(createCapabilities({ uid: 1000, newPrivileges: true, add: ["NET_ADMIN"], drop: ["KILL"] })).toEqual({
    bounding: [...DEFAULT_CAPABILITIES.filter((name) => name !== "CAP_KILL"), "CAP_NET_ADMIN"],
    permitted: ["CAP_NET_ADMIN"],
    effective: ["CAP_NET_ADMIN"],
    inheritable: ["CAP_NET_ADMIN"],
    ambient: ["CAP_NET_ADMIN"],
  });
  expect(createCapabilities({ uid: 0, newPrivileges: true })).toEqual(createCapabilities({ uid: 0 }));
});

test("names are taken in any spelling", () => {
  const { bounding } = createCapabilities({
    uid: 0,
    add: ["net_admin", "CAP_SYS_PTRACE"],
    drop: ["Chown", "cap_kill"],
  });
  expect(bounding).toContain("CAP_NET_ADMIN");
  expect(bounding).toContain("CAP_SYS_PTRACE");
  expect(bounding).not.toContain("CAP_CHOWN");
  expect(bounding).not.toContain("CAP_KILL");
  expect(bounding).toHaveLength(14);
});

test("dropping ALL leaves what is added", () => {
  expect(createCapabilities({ uid: 0, add: ["CHOWN"], drop: ["ALL"] }).bounding).toEqual(["CAP_CHOWN"]);
  expect(createCapabilities({ uid: 0, drop: ["all"] }).bounding).toEqual([]);
});

test("adding ALL leaves out what is dropped by name", () => {
  const { bounding } = createCapabilities({ uid: 0, add: ["ALL"], drop: ["SYS_ADMIN"] });
  expect(bounding).toEqual(CAPABILITIES.filter((name) => name !== "CAP_SYS_ADMIN"));
  expect(createCapabilities({ uid: 0, add: ["ALL"], drop: ["ALL"] }).bounding).toEqual(CAPABILITIES);
});

test("a name in both lists is kept", () => {
  expect(createCapabilities({ uid: 0, add: ["CHOWN"], drop: ["CHOWN"] }).bounding).toContain("CAP_CHOWN");
});

test("what is added for another user than root stays over an exec", () => {
  const names = ["CAP_NET_ADMIN"];
  expect(createCapabilities({ uid: 1000, add: ["NET_ADMIN"] })).toEqual({
    ...held(names),
    inheritable: names,
    ambient: names,
  });
  expect(createCapabilities({ uid: 0, add: ["NET_ADMIN"] })).toMatchObject(none);
  expect(createCapabilities({ uid: 1000, add: ["ALL"], drop: ["BPF"] }).ambient).toHaveLength(40);
});

test("privileged is every capability, or every one that the daemon has", () => {
  expect(createCapabilities({ uid: 0, privileged: true }).bounding).toEqual(CAPABILITIES);
  expect(createCapabilities({ uid: 0, privileged: true, drop: ["BPF"] }).bounding).not.toContain("CAP_BPF");
  expect(createCapabilities({ uid: 1000, privileged: true })).toEqual({ ...held(CAPABILITIES), ...none });
  const available = ["CAP_KILL", "CAP_CHOWN"];
  expect(createCapabilities({ uid: 0, privileged: true, available }).bounding).toEqual(available);
  expect(createCapabilities({ uid: 0, add: ["ALL"], available }).bounding).toEqual(available);
});

test.each([
  ["NET_ADMN", "did you mean NET_ADMIN?"],
  ["CAP_CHWON", "did you mean CHOWN?"],
  ["", "is not a capability"],
  ["whatever-this-is", "is not a capability;"],
])("%j is refused", (name, message) => {
  expect(() => parseCapabilities([name], "cap_add")).toThrow(message);
  expect(() => createCapabilities({ uid: 0, drop: [name] })).toThrow(/^cap_drop: /);
});

test("permitted and effective never exceed the bounding set, nor ambient what is inheritable", () => {
  const names = fc.array(fc.constantFrom("ALL", ...CAPABILITIES), { maxLength: 6 });
  fc.assert(
    fc.property(
      fc.constantFrom(0, 1000),
      names,
      names,
      fc.boolean(),
      fc.boolean(),
      (uid, add, drop, privileged, newPrivileges) => {
        const sets = createCapabilities({ uid, add, drop, privileged, newPrivileges });
        for (const set of Object.values(sets)) {
          expect(set.every((name: string) => sets.bounding.includes(name))).toBe(true);
          expect(new Set(set).size).toBe(set.length);
        }
        expect(sets.ambient).toEqual(sets.inheritable);
      },
    ),
  );
});
