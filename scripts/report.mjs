import { mkdir, readFile, rm } from "node:fs/promises";
import { join, relative } from "node:path";
import { findCanaries } from "./canary.mjs";
import { CACHE, exitCodeOf, ROOT } from "./process.mjs";

/** Creates a report that counts for each part what passed and failed, and how long it took. */
export function createReport() {
  const parts = [];

  /** Runs one part. A failure in it is counted, and the next part still runs. */
  async function part(name, run) {
    console.log(`\n== ${name}`);
    const startedAt = performance.now();
    let tally;
    try {
      tally = await run();
    } catch (error) {
      console.error(error.message);
      tally = { passed: 0, failed: 1, failures: [error.message.split("\n")[0]] };
    }
    parts.push({ name, skipped: 0, ...tally, seconds: (performance.now() - startedAt) / 1000 });
  }

  /** Runs a program as a part that passes or fails as a whole. */
  function check(name, command, args) {
    return part(name, async () => {
      const code = await exitCodeOf(command, args);
      if (code === 0) return { passed: 1, failed: 0 };
      return {
        passed: 0,
        failed: 1,
        failures: [`${command} ${args.join(" ")} ended with exit code ${code}`],
      };
    });
  }

  /** Lists a part that did not run, with the reason. */
  function notRun(name, reason) {
    parts.push({ name, notRun: reason, passed: 0, failed: 0, skipped: 0, seconds: 0 });
  }

  /** Prints a line for each failure and each part, then the sum. Sets the exit code. */
  function close() {
    const width = Math.max(...parts.map(({ name }) => name.length));
    console.log("");
    for (const { name, failures = [] } of parts)
      for (const failure of failures) console.log(`!! FAILED: ${name}: ${failure}`);
    for (const { name, notRun: reason, passed, failed, skipped, seconds } of parts) {
      const what = reason === undefined ? formatTally({ passed, failed, skipped }) : `NOT RUN: ${reason}`;
      console.log(`${name.padEnd(width)}  ${`${seconds.toFixed(1)} s`.padStart(8)}  ${what}`);
    }
    const sum = (key) => parts.reduce((total, each) => total + each[key], 0);
    const total = { passed: sum("passed"), failed: sum("failed"), skipped: sum("skipped") };
    if (total.failed > 0) process.exitCode = 1;
    console.log(`\n${formatTally(total)}`);
  }

  return { part, check, notRun, close };
}

function formatTally({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}

/**
 * Runs tests with vitest and prints their output as it comes. A secret of the tests in this output is a
 * failure.
 *
 * @param options `node`: the Node to run them on. Default: this one.
 */
export async function runVitest(args, { node = process.execPath, env = {} } = {}) {
  const results = join(CACHE, "results", `${process.pid}.json`);
  await mkdir(join(CACHE, "results"), { recursive: true });
  let printed = "";
  const onOutput = (text) => {
    printed += text;
  };
  const code = await exitCodeOf(
    node,
    [
      "node_modules/vitest/vitest.mjs",
      "run",
      "--reporter=default",
      "--reporter=json",
      `--outputFile.json=${relative(ROOT, results)}`,
      ...args,
    ],
    { env: { ...(process.stdout.isTTY && { FORCE_COLOR: "1" }), ...env }, onOutput },
  );
  const json = await readFile(results, "utf8").catch(() => undefined);
  await rm(results, { force: true });
  if (json === undefined)
    return { passed: 0, failed: 1, failures: [`vitest gave no results (exit code ${code})`] };
  const { numPassedTests: passed, numPendingTests, numTodoTests, testResults } = JSON.parse(json);
  const failures = testResults.flatMap(failuresOf);
  const secrets = findCanaries(printed);
  if (secrets.length > 0) {
    const trouble = `the tests printed a secret of theirs (${secrets.join("; ")})`;
    console.error(trouble);
    failures.push(trouble);
  }
  if (failures.length === 0 && code !== 0) failures.push(`vitest ended with exit code ${code}`);
  return { passed, failed: failures.length, skipped: numPendingTests + numTodoTests, failures };
}

/** @returns Each failed test of a file, with the first line of its reason. */
function failuresOf({ name, status, message, assertionResults }) {
  const file = relative(ROOT, name);
  const failed = assertionResults.filter((test) => test.status === "failed");
  // A file can fail without a failed test: it cannot be loaded, or its afterAll finds something left behind.
  if (status === "failed" && failed.length === 0) return [`${file}: ${firstLine(message)}`];
  return failed.map(
    ({ fullName, failureMessages }) => `${file} > ${fullName}: ${firstLine(failureMessages[0])}`,
  );
}

function firstLine(text = "") {
  return text.trim().split("\n")[0];
}
