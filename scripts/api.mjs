// pnpm api: writes a report of each package's exports to packages/*/etc, from the built declarations, so that
// a review shows each change of the public API. npm test fails when a report is out of date.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ROOT, run, story } from "./process.mjs";

/** `cli` exports nothing. `proto` is generated; its .proto files show each change. */
const ENTRY_POINTS = [
  { name: "client", entry: "index", report: "client" },
  { name: "client", entry: "private-daemon/daemon", report: "client-daemon" },
  { name: "executor", entry: "index", report: "executor" },
];

/** Checks the reports. Each outdated report is a failure; the message names the command that updates it. */
export async function checkApi() {
  const reports = await Promise.all(ENTRY_POINTS.map((each) => report(each, { write: false })));
  const stale = reports.filter(({ changed }) => changed);
  for (const { file } of stale) console.error(`${file} is not what the package exports now; run: pnpm api`);
  return { passed: reports.length - stale.length, failed: stale.length };
}

async function writeReports() {
  await run("turbo", ["run", "build", "--output-logs=errors-only"]);
  for (const each of ENTRY_POINTS) {
    await mkdir(join(ROOT, "packages", each.name, "etc"), { recursive: true });
    const { file, changed } = await report(each, { write: true });
    console.log(`${file}: ${changed ? "written" : "is current"}`);
  }
}

/**
 * @returns The report's path, and whether the report was out of date. With `write` it was written again.
 */
async function report({ name, entry, report }, { write }) {
  // Not imported at the top: npm test loads this file before anything is installed.
  const { Extractor, ExtractorConfig } = await import("@microsoft/api-extractor");
  const projectFolder = join(ROOT, "packages", name);
  const reportFileName = `${report}.api.md`;
  const config = ExtractorConfig.prepare({
    packageJsonFullPath: join(projectFolder, "package.json"),
    configObjectFullPath: undefined,
    configObject: {
      projectFolder,
      mainEntryPointFilePath: join(projectFolder, "dist", `${entry}.d.ts`),
      compiler: { tsconfigFilePath: join(projectFolder, "tsconfig.build.json") },
      apiReport: {
        enabled: true,
        reportFileName,
        reportFolder: join(projectFolder, "etc"),
        reportTempFolder: join(ROOT, ".cache/api"),
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      newlineKind: "lf",
      messages: {
        compilerMessageReporting: { default: { logLevel: "error" } },
        // The report itself names each type that can be reached but is not exported.
        extractorMessageReporting: {
          default: { logLevel: "none" },
          "ae-forgotten-export": { logLevel: "none", addToApiReportFile: true },
        },
        tsdocMessageReporting: { default: { logLevel: "none" } },
      },
    },
  });
  const { apiReportChanged } = Extractor.invoke(config, {
    localBuild: write,
    messageCallback: (message) => {
      if (message.logLevel === "error") console.error(message.text);
      message.handled = true;
    },
  });
  return { file: join("packages", name, "etc", reportFileName), changed: apiReportChanged };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await story(writeReports);
