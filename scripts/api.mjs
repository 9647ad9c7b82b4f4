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
  {
    name: "executor",
    entry: "diagnostics/opentelemetry/instrument",
    report: "executor-opentelemetry",
  },
];

/**
 * Checks the reports. A report fails if it is outdated, or if the package does not export a type that one of
 * its exported types uses.
 */
export async function checkApi() {
  const reports = await Promise.all(ENTRY_POINTS.map((each) => report(each, { write: false })));
  const problems = reports.flatMap(({ file, changed, unexported }) => [
    ...(changed ? [`${file} is not what the package exports now; run: pnpm api`] : []),
    ...unexported,
  ]);
  for (const problem of problems) console.error(problem);
  const failed = reports.filter(({ changed, unexported }) => changed || unexported.length > 0).length;
  return { passed: reports.length - failed, failed };
}

async function writeReports() {
  await run("turbo", ["run", "build", "--output-logs=errors-only"]);
  for (const each of ENTRY_POINTS) {
    await mkdir(join(ROOT, "packages", each.name, "etc"), { recursive: true });
    const { file, changed, unexported } = await report(each, { write: true });
    console.log(`${file}: ${changed ? "written" : "is current"}`);
    for (const problem of unexported) console.error(problem);
    if (unexported.length > 0) process.exitCode = 1;
  }
}

/**
 * @returns The report's path; whether the report was out of date (with `write` it was written again); and a
 * line for each type that can be reached from an export, but is not exported.
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
        extractorMessageReporting: {
          default: { logLevel: "none" },
          "ae-forgotten-export": { logLevel: "error" },
        },
        tsdocMessageReporting: { default: { logLevel: "none" } },
      },
    },
  });
  const unexported = [];
  const { apiReportChanged } = Extractor.invoke(config, {
    localBuild: write,
    messageCallback: (message) => {
      if (message.messageId === "ae-forgotten-export") {
        unexported.push(`${name}: ${message.text}`);
      } else if (message.logLevel === "error") console.error(message.text);
      message.handled = true;
    },
  });
  return { file: join("packages", name, "etc", reportFileName), changed: apiReportChanged, unexported };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await story(writeReports);
