import { expect, test } from "vitest";
import type { LinuxCapabilities } from "../spec/spec.js";
import { limitCapabilities } from "./exec.js";

const of = (bounding: string[], ambient: string[]): LinuxCapabilities => ({
  bounding,
  permitted: bounding,
  effective: bounding,
  inheritable: ambient,
  ambient,
});

test("root has what root can have in the container, and no more", () => {
  expect(limitCapabilities(of(["CAP_CHOWN"], []), 0)).toEqual(of(["CAP_CHOWN"], []));
  expect(limitCapabilities(of([], []), 0)).toEqual(of([], []));
});

test("another user has what was added for the step's user, and else nothing", () => {
  const step = of(["CAP_CHOWN", "CAP_NET_ADMIN"], ["CAP_NET_ADMIN"]);
  expect(limitCapabilities(step, 7)).toEqual({
    bounding: ["CAP_CHOWN", "CAP_NET_ADMIN"],
    permitted: ["CAP_NET_ADMIN"],
    effective: ["CAP_NET_ADMIN"],
    inheritable: ["CAP_NET_ADMIN"],
    ambient: ["CAP_NET_ADMIN"],
  });
  expect(limitCapabilities(of(["CAP_CHOWN"], []), 7).effective).toEqual([]);
});
