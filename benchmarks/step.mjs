// Runs one step of `true`, and many at once. Compares our executor (in this process) with `ctr run --rm` and
// plain `runc run`, on the same machine in the same run.
// Usage: node benchmarks/step.mjs [--rounds 30] [--batch 48]
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { parseArgs, promisify } from "node:util";
import { createClient } from "@wfe-containerd/client";
import { startDaemon } from "@wfe-containerd/client/daemon";
import { createExecutor } from "@wfe-containerd/executor";
import { busyboxArchive } from "@wfe-containerd/test-infra/images";

const run = promisify(execFile);
const { values } = parseArgs({
  options: { rounds: { type: "string", default: "30" }, batch: { type: "string", default: "48" } },
});
const ROUNDS = Number(values.rounds);
const BATCH = Number(values.batch);
const AT_ONCE = 8;
const IMAGE = "docker.io/library/busybox:latest";

const daemon = await startDaemon();
const client = createClient({ address: daemon.address, namespace: "bench" });
const bundle = await mkdtemp(join(tmpdir(), "bench-runc-"));
try {
  const archive = await busyboxArchive();
  await client.images.import(Readable.from([archive]), { name: IMAGE });
  await makeBundle(bundle);
  const fileMode = createExecutor({ client });
  const fifoMode = createExecutor({ client, ioMode: "fifo" });
  const step = { name: "true", image: IMAGE, command: ["/bin/true"] };
  let count = 0;
  const contenders = [
    { name: "ours, file mode", run: () => fileMode.run(step) },
    { name: "ours, fifo mode", run: () => fifoMode.run(step) },
    {
      name: "ctr run --rm",
      run: () =>
        run("ctr", [
          "-a",
          daemon.socketPath,
          "-n",
          "bench",
          "run",
          "--rm",
          IMAGE,
          `ctr-${count++}`,
          "/bin/true",
        ]),
    },
    {
      name: "runc run",
      run: () => run("runc", ["run", "--bundle", bundle, `bench-${process.pid}-${count++}`]),
    },
  ];
  for (const contender of contenders) await contender.run(); // warms the caches for all

  // Contenders take turns, so that a slow moment of the machine affects all.
  const latency = new Map(contenders.map(({ name }) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const contender of contenders) latency.get(contender.name).push(await timed(contender.run));
  }
  const toResult = [];
  for (let round = 0; round < ROUNDS; round++) {
    const handle = fifoMode.start(step);
    toResult.push(await timed(() => handle.result));
    await handle.closed;
  }

  const rate = new Map();
  for (const contender of contenders) {
    const tookMs = await timed(() => atOnce(AT_ONCE, BATCH, contender.run));
    rate.set(contender.name, (BATCH * 1000) / tookMs);
  }

  const base = median(latency.get("ctr run --rm"));
  const baseRate = rate.get("ctr run --rm");
  console.log(`containerd ${daemon.version}, Node ${process.version}, ${cpus().length} cores`);
  console.log(`${ROUNDS} steps of \`true\` one by one; ${BATCH} with ${AT_ONCE} at once\n`);
  console.table(
    contenders.map(({ name }) => ({
      contender: name,
      "median ms": round(median(latency.get(name))),
      "min ms": round(Math.min(...latency.get(name))),
      "p90 ms": round(quantile(latency.get(name), 0.9)),
      "time / ctr's": round(median(latency.get(name)) / base, 2),
      "steps/s, 8 at once": round(rate.get(name)),
      "rate / ctr's": round(rate.get(name) / baseRate, 2),
    })),
  );
  console.log(
    `ours, fifo mode, until the result is known (clean-up follows): median ${round(median(toResult))} ms`,
  );
  await fileMode.close();
  await fifoMode.close();
} finally {
  await client.close();
  await daemon.stop();
  await rm(bundle, { recursive: true, force: true });
}

async function makeBundle(directory) {
  const bin = join(directory, "rootfs", "bin");
  await mkdir(bin, { recursive: true });
  await cp("/bin/busybox", join(bin, "true"));
  const { stdout } = await run("runc", ["spec"], { cwd: directory }).then(() =>
    run("cat", [join(directory, "config.json")]),
  );
  const spec = JSON.parse(stdout);
  spec.process.terminal = false;
  spec.process.args = ["/bin/true"];
  await writeFile(join(directory, "config.json"), JSON.stringify(spec));
}

async function timed(work) {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

async function atOnce(width, total, work) {
  let left = total;
  await Promise.all(
    Array.from({ length: width }, async () => {
      while (left-- > 0) await work();
    }),
  );
}

function quantile(samples, at) {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * at))];
}

function median(samples) {
  return quantile(samples, 0.5);
}

function round(value, digits = 1) {
  return Number(value.toFixed(digits));
}
