import { expect, test } from "vitest";
import { findDefaultProfile } from "./facts.js";

test("of the loaded AppArmor profiles, the one for containers is found, where it is enforced", () => {
  expect(findDefaultProfile("")).toBeUndefined();
  expect(findDefaultProfile("lsb_release (enforce)\nmy-docker-default (enforce)\n")).toBeUndefined();
  expect(findDefaultProfile("docker-default (complain)\n")).toBeUndefined();
  expect(
    findDefaultProfile("lsb_release (enforce)\ndocker-default (enforce)\n/usr/bin/man (enforce)\n"),
  ).toBe("docker-default");
  expect(findDefaultProfile("cri-containerd.apparmor.d (enforce)\n")).toBe("cri-containerd.apparmor.d");
});
