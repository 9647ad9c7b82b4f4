// npm run test:repeat -- --times 10: does the suite pass every time? Each run clones the last commit of this
// checkout to a temporary directory and runs `npm test` there, as on a fresh machine. It prints a line with
// seconds, passed, failed, and the failures. The last line is the sum.
//   --times N     how many runs; default 10
//   --at-once N   how many of them at the same time, as two checkouts on one machine; default 1
//   --load        also run as many busy loops as this machine has processors
// .cache/repeat keeps the output of every run.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { CACHE, capture, ROOT, run, story, Trouble } from "./process.mjs";

const LOGS = join(CACHE, "repeat");

await story(async () => {
  const { times, atOnce, load } = readOptions();
  const { stdout: changed } = await capture("git", ["status", "--porcelain"]);
  if (changed !== "") console.log("Changes that are not committed are left out.");
  await rm(LOGS, { recursive: true, force: true });
  await mkdir(LOGS, { recursive: true });
  const loops = Array.from({ length: load ? availableParallelism() : 0 }, startLoop);

  const results = [];
  let next = 1;
  // Ctrl-C also reaches the programs that this script started. They end, and it cleans up after them.
  process.on("SIGINT", () => {
    next = times + 1;
  });
  async function runInTurn() {
    while (next <= times) {
      const result = await testFreshClone(next++);
      results.push(result);
      console.log(formatResult(result));
    }
  }
  try {
    await Promise.all(Array.from({ length: Math.min(atOnce, times) }, runInTurn));
  } finally {
    await Promise.all(loops.map((loop) => loop.terminate()));
  }

  const green = results.filter(isGreen).length;
  const sum = (key) => results.reduce((total, result) => total + Number(result[key] ?? 0), 0);
  const slowest = Math.max(...results.map(({ seconds }) => seconds));
  console.log(
    `\n${green} of ${times} runs are green: ${sum("passed")} passed, ${sum("failed")} failed; the slowest took ${slowest.toFixed(0)} s`,
  );
  if (green < times) process.exitCode = 1;
});

function readOptions() {
  const options = {
    times: { type: "string", default: "10" },
    "at-once": { type: "string", default: "1" },
    load: { type: "boolean", default: false },
  };
  const { values } = parseArgs({ options });
  for (const name of ["times", "at-once"]) {
    if (!/^[1-9]\d{0,3}$/.test(values[name]))
      throw new Trouble(`--${name} is ${values[name]}; allowed: a whole number from 1 on`);
  }
  return { times: Number(values.times), atOnce: Number(values["at-once"]), load: values.load };
}

/** Keeps one processor busy until this process ends. */
function startLoop() {
  return new Worker("for (;;);", { eval: true });
}

async function testFreshClone(number) {
  const directory = await mkdtemp(join(tmpdir(), "wfe-repeat-"));
  const logPath = join(LOGS, `${number}.log`);
  const startedAt = performance.now();
  try {
    await run("git", ["clone", "--quiet", ROOT, directory]);
    const log = createWriteStream(logPath);
    await once(log, "open");
    const child = spawn("npm", ["test"], { cwd: directory, env: outside(), stdio: ["ignore", log, log] });
    const [code] = await once(child, "close");
    log.close();
    return { number, code, seconds: (performance.now() - startedAt) / 1000, ...(await readTally(logPath)) };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Returns the environment without the variables and PATH entries of npm and this checkout. */
function outside() {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^npm_|^INIT_CWD$/.test(name)),
  );
  const places = (env.PATH ?? "").split(delimiter).filter((place) => !place.startsWith(ROOT));
  return { ...env, PATH: places.join(delimiter) };
}

/** Reads the result of a run from the last lines of its log. */
async function readTally(logPath) {
  const lines = (await readFile(logPath, "utf8")).split("\n");
  const [, passed, failed] =
    lines.map((line) => /^(\d+) passed, (\d+) failed/.exec(line)).findLast((match) => match !== null) ?? [];
  const failures = lines.filter((line) => line.startsWith("!! FAILED"));
  // A run without a count ended before its tests. Its last lines say why.
  const words = passed === undefined ? lines.filter((line) => line.trim() !== "").slice(-5) : failures;
  return { passed, failed, words };
}

/** A run is green if something passed, nothing failed, and the exit code is 0. */
function isGreen({ code, passed, failed }) {
  return code === 0 && failed === "0" && passed !== "0";
}

function formatResult({ number, code, seconds, passed, failed, words }) {
  const exit = code === 0 ? "" : `, exit code ${code}`;
  const line = `run ${number}: ${seconds.toFixed(0)} s, ${passed ?? "?"} passed, ${failed ?? "?"} failed${exit}`;
  return [line, ...words.map((word) => `  ${word}`)].join("\n");
}
