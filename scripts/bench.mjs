// npm run bench: sets up, then compares our speed with that of other tools in the same run. The tables are
// kept in benchmarks/RESULTS.md.
// Arguments: the name of one benchmark, then its own arguments: `npm run bench -- step --rounds 10`. With
// `--quick` alone, all benchmarks run in less than three minutes.
import { join } from "node:path";
import { ROOT, run, story } from "./process.mjs";
import { setUp } from "./setup.mjs";

const BENCHMARKS = ["start", "step", "many", "pull"];

await story(async () => {
  await setUp({ tests: true });
  const args = process.argv.slice(2);
  const chosen = args[0]?.startsWith("-") === false ? args.shift() : undefined;
  for (const name of chosen === undefined ? BENCHMARKS : [chosen]) {
    console.log(`\n== ${name}`);
    await run(process.execPath, [join("benchmarks", `${name}.mjs`), ...args]);
  }
});
