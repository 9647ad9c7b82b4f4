import { writeFileSync } from "node:fs";
import { createExecutor, type StepInput } from "@wfe-containerd/executor";
import { useDaemon } from "@wfe-containerd/test-infra/daemon";
import { expect, test } from "vitest";
import { CAPABILITIES } from "../src/core/spec/capability-names.js";
import { heldCapabilities } from "./runc.js";

// The daemon inherits this score. This process ends with the test file, so nothing restores it.
const OURS = 400;
writeFileSync("/proc/self/oom_score_adj", String(OURS));
const at = useDaemon();

const canLower = ((heldCapabilities() >> BigInt(CAPABILITIES.indexOf("CAP_SYS_RESOURCE"))) & 1n) === 1n;

test("a step has no out-of-memory score of the daemon's, where the daemon can lower it; nowhere the shim's", async () => {
  await using executor = createExecutor({ client: at.client, ioDir: at.ioDir });
  const scoreOf = async (change: Partial<StepInput>) => {
    const step = { name: "scored", image: "busybox", run: "cat /proc/self/oom_score_adj", ...change };
    return Number((await executor.run(step as StepInput)).stdout);
  };
  expect(await scoreOf({})).toBe(canLower ? 0 : OURS);
  expect(await scoreOf({ oomScoreAdj: 500 })).toBe(500);
});
