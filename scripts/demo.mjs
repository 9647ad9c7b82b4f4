// npm run demo: sets up, starts a private containerd, runs a step file in it with the CLI, leaves nothing.
import { spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { createInterface } from "node:readline";
import { ROOT, story, Trouble } from "./process.mjs";
import { setUp } from "./setup.mjs";

const CLI = join(ROOT, "packages/cli/dist/main.js");
const STEPS = "examples/steps/demo.yaml";

await story(async () => {
  const startedAt = performance.now();
  say("Set-up");
  await setUp();
  console.log(`ready after ${seconds(startedAt)}`);

  // Ctrl-C also reaches the programs that the demo started. They end, and the demo cleans up after them.
  process.on("SIGINT", () => {});
  const directory = await mkdtemp(join(tmpdir(), "wfe-demo-"));
  try {
    await show(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
  await proveNothingIsLeft(directory);
  console.log(`\nThe demo took ${seconds(startedAt)}.`);
});

async function show(directory) {
  say("A containerd of our own", "wfe-containerd daemon");
  const daemon = await startDaemon(join(directory, "containerd"));
  console.log(`it answers at ${daemon.address}`);
  const global = ["--address", daemon.address, "--namespace", namespaceFor(directory)];
  try {
    const archive = join(directory, "busybox.tar");
    const { busyboxArchive } = await import("@wfe-containerd/test-infra/images");
    await writeFile(archive, await busyboxArchive());
    say("A small image", "wfe-containerd import busybox.tar");
    await expectCode(0, await cli([...global, "import", archive]));

    say(
      "A step file: each line with the moment at which it came, standard error marked with !",
      `wfe-containerd step ${STEPS}`,
    );
    await expectCode(3, await cli([...global, "step", STEPS], { timed: true }));
    console.log("exit code 3, which is the last step's own");

    say("The same, as results", `wfe-containerd step --output json ${STEPS}`);
    await expectCode(3, await cli([...global, "step", "--output", "json", STEPS]));

    say("What containerd still holds", "wfe-containerd ps");
    await expectCode(0, await cli([...global, "ps"]));
  } finally {
    await daemon.stop();
  }
}

function startDaemon(directory) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [CLI, "daemon", "--directory", directory], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    const ended = new Promise((done) => child.once("close", done));
    let log = "";
    child.stderr.setEncoding("utf8").on("data", (text) => {
      log += text;
    });
    // The first line on standard output is the daemon's address, printed once the daemon answers.
    createInterface({ input: child.stdout }).once("line", (address) => {
      const stop = async () => {
        child.kill("SIGTERM");
        const code = await ended;
        if (code !== 0) throw new Trouble(`the daemon ended with exit code ${code}:\n${log}`);
      };
      resolve({ address, stop });
    });
    child.once("error", reject);
    ended.then(() => reject(new Trouble(`the daemon did not start:\n${log}`)));
  });
}

/** Runs the CLI and prints its output. @returns its exit code. */
function cli(args, { timed = false } = {}) {
  const startedAt = performance.now();
  const child = spawn(process.execPath, [CLI, ...args], {
    cwd: ROOT,
    stdio: ["ignore", timed ? "pipe" : "inherit", timed ? "pipe" : "inherit"],
  });
  const print = (mark) => (line) => console.log(`${seconds(startedAt)} ${mark} ${line}`);
  if (timed) {
    createInterface({ input: child.stdout }).on("line", print("|"));
    createInterface({ input: child.stderr }).on("line", print("!"));
  }
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
}

async function expectCode(expected, code) {
  if (code !== expected) throw new Trouble(`it ended with exit code ${code}, and should with ${expected}`);
}

/** Looks only for things of this demo: other programs run on the machine meanwhile. */
async function proveNothingIsLeft(directory) {
  say("What is left");
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const commands = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")),
  );
  const mounts = (await readFile("/proc/self/mountinfo", "utf8")).split("\n");
  const groups = await readdir("/sys/fs/cgroup", { recursive: false }).catch(() => []);
  const left = {
    processes: commands.filter((command) => command.includes(directory)),
    mounts: mounts.filter((line) => line.includes(directory)),
    directories: (await readdir(tmpdir())).filter((name) => join(tmpdir(), name) === directory),
    "control groups": (
      await Promise.all(
        ["", ...groups].map((group) =>
          readdir(join("/sys/fs/cgroup", group, namespaceFor(directory))).catch(() => []),
        ),
      )
    ).flat(),
  };
  for (const [kind, found] of Object.entries(left)) console.log(`${kind.padEnd(14)} ${found.length}`);
  if (Object.values(left).some((found) => found.length > 0))
    throw new Trouble(`left behind: ${JSON.stringify(left, undefined, 2)}`);
}

/** Only this demo uses this namespace. Control groups are named after it, and the whole machine sees them. */
function namespaceFor(directory) {
  return basename(directory);
}

function say(what, command) {
  console.log(`\n== ${what}${command === undefined ? "" : `\n$ ${command}`}`);
}

function seconds(since) {
  return `${((performance.now() - since) / 1000).toFixed(2)} s`;
}
