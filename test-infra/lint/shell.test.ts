import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

describe("shell scripts", () => {
  test.each([".ci/run", "test-infra/remote/inside.sh"])("%s", async (file) => {
    expect(await shellcheck(await readFile(`${ROOT}/${file}`, "utf8"))).toBe("");
  });

  test("of the Lima template", async () => {
    const { provision, probes } = parse(
      await readFile(`${ROOT}/test-infra/lima/wfe-containerd.yaml`, "utf8"),
    );
    for (const { script } of [...provision, ...probes]) expect(await shellcheck(script)).toBe("");
  });
});

/** @returns shellcheck's report on a script. */
function shellcheck(script: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile("shellcheck", ["--format=gcc", "-"], (error, stdout) => {
      if (error !== null && typeof error.code !== "number") reject(error);
      else resolve(stdout);
    });
    child.stdin?.end(script);
  });
}
