// npm run soak: runs 10,000 steps, 8 at once, while containerd and the process that runs them are killed at
// random; and then as many in sessions. Prints wrong exit codes, lost and doubled bytes, steps that ran
// twice, and memory. Takes hours.
//   --steps N   how many of each; default 10000
//   --seed N    makes the same kills again, as far as the machine's timing allows
import { parseArgs } from "node:util";
import { story } from "./process.mjs";
import { createReport, runVitest } from "./report.mjs";
import { setUp } from "./setup.mjs";

await story(async () => {
  const { values } = parseArgs({
    options: { steps: { type: "string", default: "10000" }, seed: { type: "string" } },
  });
  await setUp({ tests: true });
  const report = createReport();
  const env = {
    WFE_SOAK_STEPS: values.steps,
    ...(values.seed === undefined ? {} : { WFE_SOAK_SEED: values.seed }),
  };
  await report.part("soak", () =>
    runVitest(["--project", "daemon", "--testTimeout=0", "test-infra/chaos/soak.test.ts"], { env }),
  );
  report.close();
});
