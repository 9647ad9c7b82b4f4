// Runs one step of `true`, and many at once. Compares our executor, in this process, with containerd's own Go
// client in one process, with `ctr run --rm`, and with plain `runc run`. The same for a step as root, one
// with a secret, and one in a session, whose container is there already, beside an exec of the Go client and
// of docker.
// Usage: node benchmarks/step.mjs [--rounds 30] [--batch 48] [--quick]
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { parseArgs, promisify } from "node:util";
import { createClient } from "@wfe-containerd/client";
import { startDaemon } from "@wfe-containerd/client/daemon";
import { createExecutor } from "@wfe-containerd/executor";
import { busyboxArchive } from "@wfe-containerd/test-infra/images";
import { startDocker } from "./contender/docker.mjs";
import { startGoClient } from "./contender/go-client.mjs";
import { atOnce, cpuOf, inTurns, median, quantile, round, timed } from "./figures.mjs";
import { report } from "./results.mjs";

const run = promisify(execFile);
const { values } = parseArgs({
  options: { rounds: { type: "string" }, batch: { type: "string" }, quick: { type: "boolean" } },
});
const ROUNDS = Number(values.rounds ?? (values.quick ? 12 : 30));
const BATCH = Number(values.batch ?? (values.quick ? 16 : 48));
/** The rate of each contender is measured this often. */
const BATCHES = values.quick ? 1 : 3;
const WIDTHS = [8, 16];
const WARM_UPS = 5;
// runc keeps the names of containers for the whole machine, by namespace.
const NAMESPACE = `bench-${process.pid}`;
const GO = "containerd's Go client";
const IMAGE = "docker.io/library/busybox:latest";
const STEP = { name: "true", image: IMAGE, command: ["/bin/true"] };

const daemon = await startDaemon();
const client = createClient({ address: daemon.address, namespace: NAMESPACE });
const directory = await mkdtemp(join(tmpdir(), "bench-step-"));
const goClient = await startGoClient({ daemon, namespace: NAMESPACE, image: IMAGE, directory });
let docker;
let count = 0;
try {
  await client.images.import(Readable.from([await busyboxArchive()]), { name: IMAGE });
  await makeBundle(directory);
  docker = await startDocker({ daemon, directory });
  const ours = [
    { name: "ours, file mode", executor: createExecutor({ client }) },
    { name: "ours, fifo mode", executor: createExecutor({ client, ioMode: "fifo" }) },
  ];
  const files = ours[0].executor;
  const session = await files.open({ name: "session", image: IMAGE });
  const contenders = [
    ...ours.map(({ name, executor }) => ({
      name,
      start: () => executor.start(STEP),
      run: () => executor.run(STEP),
    })),
    { name: "ours, as root", start: () => files.start({ ...STEP, user: "0" }) },
    {
      name: "ours, with a secret",
      start: () => files.start({ ...STEP, secrets: ["token"] }, { secrets: { token: "of the benchmark" } }),
    },
    { name: "ours, in a session", start: () => session.start({ name: "true", command: ["/bin/true"] }) },
    ...(goClient === undefined
      ? []
      : [
          { name: GO, many: (total, width) => goClient.run(total, width) },
          { name: `${GO}, seccomp`, many: (total, width) => goClient.run(total, width, "filtered") },
          { name: `${GO}, exec`, many: (total, width) => goClient.run(total, width, "exec") },
        ]),
    ...(docker === undefined
      ? []
      : [
          { name: "docker's API", run: docker.step },
          { name: "docker's API, exec", run: docker.exec },
        ]),
    {
      name: "ctr run --rm",
      run: () =>
        run("ctr", [
          "-a",
          daemon.socketPath,
          "-n",
          NAMESPACE,
          "run",
          "--rm",
          IMAGE,
          `ctr-${count++}`,
          "/bin/true",
        ]),
    },
    {
      name: "runc run",
      run: () => run("runc", ["run", "--bundle", directory, `bench-${process.pid}-${count++}`]),
    },
  ];
  for (const contender of contenders) for (let at = 0; at < WARM_UPS; at++) await measureOne(contender);
  const single = await inTurns(contenders, ROUNDS, measureOne);
  const rated = contenders.filter(({ run: whole, many }) => whole !== undefined || many !== undefined);
  const rates = new Map();
  for (const width of WIDTHS)
    rates.set(width, await inTurns(rated, BATCHES, (contender) => rateOf(contender, width)));
  await report("step", [singleTable(contenders, single), rateTable(rated, rates)], { daemon });
  await session.close();
  for (const { executor } of ours) await executor.close();
} finally {
  await goClient?.stop();
  await docker?.stop();
  await client.close();
  await daemon.stop();
  await rm(directory, { recursive: true, force: true });
}

/** One step: milliseconds until its result is known, and until everything is released; our CPU for it. */
async function measureOne({ start: begin, many, run: whole }) {
  if (many !== undefined) {
    const [released] = await many(1, 1);
    return { result: released, released };
  }
  if (begin === undefined) {
    const released = await timed(whole);
    return { result: released, released };
  }
  const figures = {};
  figures.cpu = await cpuOf(async () => {
    const start = performance.now();
    const handle = begin();
    await handle.result;
    figures.result = performance.now() - start;
    await handle.closed;
    figures.released = performance.now() - start;
    await handle[Symbol.asyncDispose]();
  });
  return figures;
}

/** Steps in a second, with this many at once. */
async function rateOf({ many, run: whole }, width) {
  const tookMs = await timed(() => (many === undefined ? atOnce(width, BATCH, whole) : many(BATCH, width)));
  return (BATCH * 1000) / tookMs;
}

function singleTable(contenders, single) {
  const of = (name, key) => single.get(name).map((figures) => figures[key]);
  const base = (name, key) =>
    single.has(name) ? round(median(of(key.contender, key.figure)) / median(of(name, "released")), 2) : "";
  return {
    title: `One step of \`true\` after the other, ${ROUNDS} of each in turns. Milliseconds, medians. \`result\`: until the exit code and the output are known; \`released\`: until everything of the step is removed.`,
    rows: contenders.map(({ name }) => ({
      contender: name,
      result: round(median(of(name, "result"))),
      released: round(median(of(name, "released"))),
      "released, p90": round(quantile(of(name, "released"), 0.9)),
      "result / Go's": base(GO, { contender: name, figure: "result" }),
      "released / Go's": base(GO, { contender: name, figure: "released" }),
      "released / ctr's": base("ctr run --rm", { contender: name, figure: "released" }),
      "CPU of this process": of(name, "cpu")[0] === undefined ? "" : round(median(of(name, "cpu"))),
    })),
  };
}

function rateTable(contenders, rates) {
  return {
    title: `Many steps at once: steps a second, the median of ${BATCHES} batches of ${BATCH}, in turns.`,
    rows: contenders.map(({ name }) => ({
      contender: name,
      ...Object.fromEntries(
        WIDTHS.flatMap((width) => {
          const rate = median(rates.get(width).get(name));
          const goRates = rates.get(width).get(GO);
          return [
            [`${width} at once`, round(rate)],
            [`${width} at once / Go's`, goRates === undefined ? "" : round(rate / median(goRates), 2)],
          ];
        }),
      ),
    })),
  };
}

async function makeBundle(bundle) {
  const bin = join(bundle, "rootfs", "bin");
  await mkdir(bin, { recursive: true });
  await cp("/bin/busybox", join(bin, "true"));
  await run("runc", ["spec"], { cwd: bundle });
  const { stdout } = await run("cat", [join(bundle, "config.json")]);
  const spec = JSON.parse(stdout);
  spec.process.terminal = false;
  spec.process.args = ["/bin/true"];
  await writeFile(join(bundle, "config.json"), JSON.stringify(spec));
}
