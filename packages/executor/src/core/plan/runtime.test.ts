import { expect, test } from "vitest";
import { parseRuntimes } from "./runtime.js";

test("a runtime is a shim, or another program for the shim of runc", () => {
  const runtimes = parseRuntimes({
    crun: { binary: "crun" },
    gvisor: { type: "io.containerd.runsc.v1" },
    "runsc-path": { binary: "/opt/gvisor/runsc" },
    plain: { binary: "/opt/runsc/crun", type: undefined },
    kata: { type: "io.containerd.kata.v2", sandboxed: false },
  });
  expect(runtimes).toEqual({
    runc: { type: "io.containerd.runc.v2", sandboxed: false },
    crun: { type: "io.containerd.runc.v2", binary: "crun", sandboxed: false },
    gvisor: { type: "io.containerd.runsc.v1", sandboxed: true },
    "runsc-path": { type: "io.containerd.runc.v2", binary: "/opt/gvisor/runsc", sandboxed: true },
    plain: { type: "io.containerd.runc.v2", binary: "/opt/runsc/crun", sandboxed: false },
    kata: { type: "io.containerd.kata.v2", sandboxed: false },
  });
  expect(parseRuntimes({ runc: { binary: "/usr/bin/runc-1.2" } })["runc"]?.binary).toBe("/usr/bin/runc-1.2");
});

test.each([
  [null, /^runtimes: is not a map; allowed: .*example:/],
  [["crun"], /^runtimes: is not a map/],
  [{ "a/b": {} }, /^runtimes\.a\/b: is not the name of a runtime; allowed: 1 to 63/],
  [{ crun: "crun" }, /^runtimes\.crun: is not a map/],
  [{ crun: { path: "/x" } }, /^runtimes\.crun\.path: is unknown; allowed: type, binary and sandboxed/],
  [
    { crun: { binary: "./crun" } },
    /^runtimes\.crun\.binary: "\.\/crun" is not a program; allowed: .*example/,
  ],
  [{ crun: { binary: 1 } }, /^runtimes\.crun\.binary: 1 is not a program/],
  [{ x: { type: "/usr/bin/shim" } }, /^runtimes\.x\.type: "\/usr\/bin\/shim" is not the type of a shim/],
  [{ x: { type: "runc" } }, /^runtimes\.x\.type: "runc" is not the type/],
  [{ x: { type: "io.containerd.kata.v2", binary: "kata" } }, /^runtimes\.x\.binary: is given, and the shim/],
  [{ x: { sandboxed: "no" } }, /^runtimes\.x\.sandboxed: "no" is not allowed; allowed: true or false/],
])("%j is refused", (given, message) => {
  expect(() => parseRuntimes(given)).toThrow(
    expect.objectContaining({ kind: "refused", message: expect.stringMatching(message) }),
  );
});
