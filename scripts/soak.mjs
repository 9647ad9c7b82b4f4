// npm run soak: runs 10,000 steps, 9 at once, while one fault after the other strikes: containerd, shims and
// the process that runs steps are killed or stopped, runc fails or is slow, the path to the daemon is cut,
// and disks are full; and then as many in sessions. Prints which faults struck, wrong exit codes, lost and
// doubled bytes, steps that ran twice, and memory. Takes hours.
//   --steps N         how many of each; default 10000
//   --seed N          lets the same faults strike again, as far as the machine's timing allows
//   --faults PATTERN  only faults with such names: "shim", "runc (create|start)"
//   --log FILE        writes each fault, and all that is told of each step, as lines of JSON, and the log of
//                     containerd to FILE.containerd
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { story } from "./process.mjs";
import { createReport, runVitest } from "./report.mjs";
import { setUp } from "./setup.mjs";

await story(async () => {
  const { values } = parseArgs({
    options: {
      steps: { type: "string", default: "10000" },
      seed: { type: "string" },
      faults: { type: "string" },
      log: { type: "string" },
    },
  });
  await setUp({ tests: true });
  const report = createReport();
  const env = {
    WFE_SOAK_STEPS: values.steps,
    ...(values.seed === undefined ? {} : { WFE_SOAK_SEED: values.seed }),
    ...(values.faults === undefined ? {} : { WFE_SOAK_FAULTS: values.faults }),
    ...(values.log === undefined ? {} : { WFE_SOAK_LOG: resolve(values.log) }),
  };
  await report.part("soak", () =>
    runVitest(["--project", "daemon", "--testTimeout=0", "test-infra/chaos/soak.test.ts"], { env }),
  );
  report.close();
});
