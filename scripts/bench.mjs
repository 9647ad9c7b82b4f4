// npm run bench: sets up, then compares our speed with that of ctr and runc in one run. Arguments go to the benchmarks.
import { run, story } from "./process.mjs";
import { setUp } from "./setup.mjs";

await story(async () => {
  await setUp({ tests: true });
  await run(process.execPath, ["benchmarks/step.mjs", ...process.argv.slice(2)]);
});
