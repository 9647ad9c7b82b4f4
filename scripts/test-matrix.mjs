// npm run test:matrix: the tests that need a containerd, on other versions of it and of Node. Ends with "N passed, N failed"; what
// could not be downloaded is named as NOT RUN.
//   --all       every containerd on every Node, instead of a choice that meets each version at least once
//   --others    leave out what npm test runs: this machine's containerd on this Node
//   --fresh     download again what is in .cache
//   other arguments go to vitest: a part of a test file's path, say
import { dirname, join } from "node:path";
import { unpackDebian, unpackSources } from "./debian.mjs";
import { findNode } from "./nodes.mjs";
import { capture, story, Trouble } from "./process.mjs";
import { createReport, runVitest } from "./report.mjs";
import { setUp } from "./setup.mjs";

const NODES = [20, 24];
const MACHINE = "this machine's";
/**
 * Tests of registries, of the terminal and of the documentation. No release of containerd changes their outcome, so only another Node is a
 * reason to run them again.
 */
const OF_NODE_ALONE = [
  "examples/guides.test.ts",
  "packages/cli/test/signals.test.ts",
  "packages/client/test/registry-{auth,login,mirrors,odd-answers,proxy,refuse}.test.ts",
];

/** Where each containerd is from, and the Nodes that it meets when not every pair is asked for. */
const CONTAINERDS = [
  { from: MACHINE, nodes: [20] },
  { from: "Debian 13", suite: "trixie", nodes: [20], leftOut: OF_NODE_ALONE },
  { from: "Debian unstable", suite: "sid", nodes: [24] },
];

/** Less of what is done many times over; in full it is done by npm test. What the caller says of it holds. */
const FEWER = {
  WFE_ABORT_ROUNDS: process.env.WFE_ABORT_ROUNDS ?? "1",
  WFE_BRIDGE_STEPS: process.env.WFE_BRIDGE_STEPS ?? "40",
  WFE_EXIT_CODES: process.env.WFE_EXIT_CODES ?? "some",
  WFE_KILL_ROUNDS: process.env.WFE_KILL_ROUNDS ?? "5",
};

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
      const env = { ...FEWER, ...containerd.value.env, PATH: dirname(node.value.path) };
      // Who asks for every pair, or for certain files, gets just that.
      const isChoice = !flags.includes("--all") && filters.length === 0;
      const excluded = isChoice ? leftOut.map((glob) => `--exclude=${glob}`) : [];
      await report.part(name, () =>
        runVitest(["--project", "daemon", ...excluded, ...filters], { node: node.value.path, env }),
      );
    }
  }
  report.close();
});

/** What cannot be downloaded is not a failure of ours, but is told. */
async function settle(find) {
  try {
    return { value: await find() };
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    return { reason: error.message.replaceAll("\n", "; ") };
  }
}

/**
 * The machine's own, or Debian's containerd, shim and ctr; runc is the machine's in any case. With Debian's come the .proto files of the
 * same version.
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
