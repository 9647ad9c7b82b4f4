// npm run test:matrix: runs the tests that need a containerd, on other versions of containerd and of Node.
// Ends with "N passed, N failed". Versions that could not be downloaded are listed as NOT RUN.
//   --all       every containerd on every Node; default: each version at least once
//   --others    leave out what npm test runs: this machine's containerd on this Node
//   --fresh     download again, even if .cache has it
//   other arguments go to vitest, for example a part of a test file's path
import { dirname, join } from "node:path";
import { unpackDebian, unpackSources } from "./debian.mjs";
import { findNode } from "./nodes.mjs";
import { capture, story, Trouble } from "./process.mjs";
import { createReport, runVitest } from "./report.mjs";
import { setUp } from "./setup.mjs";

const NODES = [20, 24];
const MACHINE = "this machine's";
/**
 * Tests of what this project and runc, which is this machine's own each time, do by themselves: commands,
 * prompts and screens, registries, documents and archives of images, what is refused before the daemon is
 * asked, what a container may do, the documentation. No containerd and no Node changes their outcome, so they
 * run on this machine's alone. `probe.test.ts` looks at all of the isolation on another one, too.
 */
const ON_ONE = [
  "examples/{guides,readme}.test.ts",
  "packages/cli/test/{cli,commands,images,recover,signals,streams,terminal-screens}.test.ts",
  "packages/client/test/{hostile-archive,image-archives,image-documents,image-files}.test.ts",
  "packages/client/test/registry-{faults,kill,login,mirrors,odd-answers,proxy,push,refuse}.test.ts",
  "packages/executor/test/{bad-input,bad-input-files,hostile-links,identity,isolation,limits}.test.ts",
  "packages/executor/test/{mount-sources,names,network,oom-score,open-files,policy,propagation}.test.ts",
  "packages/executor/test/{script,session-execs,spec-mounts,spec-resources}.test.ts",
];
/**
 * Also tests of what the release of containerd hardly changes. They run on the oldest and on the newest one,
 * which has another Node. What is promised for each fault is tested on every one.
 */
const ON_TWO = [
  ...ON_ONE,
  "examples/*.test.ts",
  "packages/cli/test/*.test.ts",
  "packages/client/test/unpacked-entries.test.ts",
  "packages/client/test/registry-{auth,pull}.test.ts",
  "packages/executor/test/{image-gone,image-users,odd-layers,probe,shared-session,spec,start-errors}.test.ts",
  "packages/executor/test/{aborts,exec,executor,process,secrets,session,session-secrets,volumes}.test.ts",
  "test-infra/remote/{processes,sessions}.test.ts",
];

/** The origin of each containerd, and the versions of Node to run it with, unless --all is given. */
const CONTAINERDS = [
  { from: MACHINE, nodes: [20] },
  { from: "Debian 13", suite: "trixie", nodes: [20], leftOut: ON_TWO },
  { from: "Debian unstable", suite: "sid", nodes: [24], leftOut: ON_ONE },
];

await story(async () => {
  const flags = process.argv.slice(2).filter((arg) => ["--all", "--others", "--fresh"].includes(arg));
  const filters = process.argv.slice(2).filter((arg) => !flags.includes(arg));
  await setUp({ tests: true });
  const report = createReport();
  const nodes = new Map();
  for (const major of NODES) nodes.set(major, await settle(() => findNode(major)));
  for (const { from, suite, nodes: chosen, leftOut = [] } of CONTAINERDS) {
    const containerd = await settle(() => findContainerd(suite, flags.includes("--fresh")));
    const version = containerd.value === undefined ? "" : ` ${await versionOf(containerd.value.program)}`;
    for (const major of flags.includes("--all") ? NODES : chosen) {
      const node = nodes.get(major);
      if (flags.includes("--others") && suite === undefined && node.value?.path === process.execPath)
        continue;
      const name = `${from} containerd${version}, Node ${node.value?.version ?? major}`;
      const reason = containerd.reason ?? node.reason;
      if (reason !== undefined) {
        console.error(`\n!! NOT RUN: ${name}: ${reason}`);
        report.notRun(name, reason);
        continue;
      }
      const env = { ...containerd.value.env, PATH: dirname(node.value.path) };
      // --all and filters ask for exactly what they name, so nothing is left out.
      const isChoice = !flags.includes("--all") && filters.length === 0;
      const excluded = isChoice ? leftOut.map((glob) => `--exclude=${glob}`) : [];
      await report.part(name, () =>
        runVitest(["--project", "daemon", ...excluded, ...filters], { node: node.value.path, env }),
      );
    }
  }
  report.close();
});

/** A failed download is not a failure of ours. It is reported. */
async function settle(find) {
  try {
    return { value: await find() };
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    return { reason: error.message.replaceAll("\n", "; ") };
  }
}

/**
 * Finds the machine's own containerd, or Debian's containerd, shim and ctr with the .proto files of that
 * version. runc is always the machine's own.
 */
async function findContainerd(suite, fresh) {
  if (suite === undefined) return { program: "containerd", env: {} };
  const tree = await unpackDebian({ name: suite, suite, packages: ["containerd"], fresh });
  const sources = await unpackSources(suite, { fresh });
  const binDir = join(tree, "usr/bin");
  const env = { WFE_CONTAINERD_BIN_DIR: binDir, WFE_TEST_CONTAINERD_PROTO_DIR: sources };
  return { program: join(binDir, "containerd"), env };
}

async function versionOf(program) {
  const { stdout, stderr } = await capture(program, ["--version"]);
  return stdout.trim().split(" ")[2] ?? `that does not start (${stderr.trim()})`;
}
