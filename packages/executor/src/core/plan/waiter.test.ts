import { expect, test } from "vitest";
import { waiterEntries } from "./waiter.js";

const ROOT = { uid: 0, gid: 0 };

test.each([
  ["amd64", 0x3e],
  ["arm64", 0xb7],
])("the program that waits is a static ELF file of %s", (architecture, machine) => {
  const file = waiterEntries(architecture, ROOT).find(({ type }) => type === "file");
  const bytes = Buffer.from(file?.type === "file" ? file.contents : []);
  expect(file).toMatchObject({ name: ".wfe-script/wait", mode: 0o555, uid: 0, gid: 0 });
  expect(bytes.subarray(0, 4).toString("latin1")).toBe("\x7fELF");
  expect([bytes.readUInt16LE(16), bytes.readUInt16LE(18), bytes.readUInt16LE(56)]).toEqual([2, machine, 2]);
  // It begins behind its headers, and all of it is loaded, readable and executable.
  expect(bytes.readBigUInt64LE(24) - bytes.readBigUInt64LE(80)).toBe(176n);
  expect([bytes.readUInt32LE(68), bytes.readBigUInt64LE(96)]).toEqual([5, BigInt(bytes.byteLength)]);
});

test("a machine without such a program has no sessions", () => {
  expect(() => waiterEntries("riscv64", ROOT)).toThrow(
    "session: the daemon's machine is a riscv64; allowed: a machine of amd64 or arm64",
  );
});
