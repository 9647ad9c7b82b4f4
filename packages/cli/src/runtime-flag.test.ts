import { expect, test } from "vitest";
import { toRuntime } from "./runtime-flag.js";

test.each([
  [undefined, undefined],
  ["", undefined],
  ["runc", undefined],
  ["io.containerd.runc.v2", undefined],
  ["crun", { name: "crun", options: { binary: "crun" } }],
  ["/opt/gvisor/runsc", { name: "runsc", options: { binary: "/opt/gvisor/runsc" } }],
  ["io.containerd.runsc.v1", { name: "io.containerd.runsc.v1", options: { type: "io.containerd.runsc.v1" } }],
])("--runtime %s is understood", (given, chosen) => {
  expect(toRuntime(given)).toEqual(chosen);
});

test.each(["a b", "./crun", "bin/crun", "/", "-x", "/usr/bin/c run"])("--runtime %j is refused", (given) => {
  expect(() => toRuntime(given)).toThrow(
    expect.objectContaining({
      message: expect.stringMatching(/^--runtime: .* is not a runtime; allowed: runc; /),
    }),
  );
});
