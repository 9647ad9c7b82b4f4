import { expect, test } from "vitest";
import { checkContainerdVersion, checkRuncVersion } from "./advisories.js";

test.each([
  ["1.6.20~ds1", "warn", "CVE-2024-40635"],
  ["1.6.39", "warn", "CVE-2024-25621"],
  ["v1.7.32", "warn", "CVE-2026-53488"],
  ["1.7.33", "ok", "no known CVE"],
  ["2.0.4", "warn", "CVE-2024-25621"],
  ["2.1.9", "ok", "no known CVE"],
  ["2.2.0", "warn", "CVE-2026-46680"],
  ["2.4.0", "ok", "no known CVE"],
  ["2.3.2-rc.1", "warn", "CVE-2026-53488"],
  ["", "warn", "not a version number"],
  ["unknown", "warn", "not a version number"],
])("containerd %s: %s, %s", (version, result, text) => {
  const finding = checkContainerdVersion(version);
  expect(finding).toMatchObject({ result, check: "containerd" });
  expect(finding.found).toContain(text);
});

test("what was mended in a branch is not told of it again", () => {
  expect(checkContainerdVersion("2.0.5").found).not.toContain("CVE-2024-40635");
  expect(checkContainerdVersion("1.6.20").found).not.toContain("CVE-2023");
});

test.each([
  ["1.1.5+ds1", "warn", "CVE-2024-21626"],
  ["1.1.15", "warn", "CVE-2025-31133"],
  ["1.2.8", "warn", "CVE-2026-41579"],
  ["1.3.6", "ok", "no known CVE"],
  ["1.4.0-rc.1", "warn", "CVE-2026-41579"],
  ["1.5.0", "ok", "no known CVE"],
])("runc %s: %s, %s", (version, result, text) => {
  const finding = checkRuncVersion(version);
  expect(finding).toMatchObject({ result, check: "runc" });
  expect(finding.found).toContain(text);
});
