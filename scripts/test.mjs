// npm test: sets up, then checks everything with this machine's containerd and this Node. Ends with
// "N passed, N failed".
import { checkApi } from "./api.mjs";
import { checkGenerated } from "./generated.mjs";
import { story } from "./process.mjs";
import { createReport, runVitest } from "./report.mjs";
import { checkRooms } from "./rooms.mjs";
import { setUp } from "./setup.mjs";

await story(async () => {
  const report = createReport();
  const startedAt = performance.now();
  await setUp({ tests: true });
  console.log(`Ready after ${((performance.now() - startedAt) / 1000).toFixed(1)} s.`);

  await report.check("formatting and lint", "biome", ["check", "--diagnostic-level=error", "."]);
  await report.part("imports between rooms", checkRooms);
  await report.check("dead code", "knip", []);
  await report.check("types", "turbo", ["run", "typecheck", "--output-logs=errors-only"]);
  await report.part("generated code is current", checkGenerated);
  await report.part("API reports are current", checkApi);
  await report.check("documentation and its links", "pnpm", ["--dir", "docs", "run", "docs"]);
  await report.check("packages as published", "turbo", ["run", "pack:check", "--output-logs=errors-only"]);
  await report.part("tests", () => runVitest([]));
  report.close();
});
