// npm run bench: sets up, then compares our speed with that of other tools in the same run.
// Arguments: the name of one benchmark, then its own arguments: `npm run bench -- step --rounds 10`.
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { ROOT, run, story } from "./process.mjs";
import { setUp } from "./setup.mjs";

await story(async () => {
  await setUp({ tests: true });
  const [chosen, ...args] = process.argv.slice(2);
  const names = (await readdir(join(ROOT, "benchmarks"))).filter((name) => name.endsWith(".mjs")).sort();
  for (const name of chosen === undefined ? names : [`${chosen}.mjs`]) {
    console.log(`\n== ${name.replace(".mjs", "")}`);
    await run(process.execPath, [join("benchmarks", name), ...args]);
  }
});
