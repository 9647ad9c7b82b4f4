// Pulls an image of 1 GB in 12 layers from a registry on this machine. Compares our pull with `ctr image
// pull`, which does the same, and with `skopeo copy`, which only stores an OCI layout and unpacks nothing.
// Usage: node benchmarks/pull.mjs [--rounds 3] [--layers 12] [--megabytes 1000] [--quick]
import { execFile, spawn } from "node:child_process";
import { createCipheriv } from "node:crypto";
import { once } from "node:events";
import { readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { createClient } from "@wfe-containerd/client";
import { startDaemon } from "@wfe-containerd/client/daemon";
import { buildImage, ociArchive } from "@wfe-containerd/test-infra/images";
import { putImage, startRegistry } from "@wfe-containerd/test-infra/registry";
import { median, round } from "./figures.mjs";
import { report } from "./results.mjs";

const { values } = parseArgs({
  options: {
    rounds: { type: "string" },
    layers: { type: "string" },
    megabytes: { type: "string" },
    quick: { type: "boolean" },
  },
});
const ROUNDS = Number(values.rounds ?? (values.quick ? 1 : 3));
const LAYERS = Number(values.layers ?? (values.quick ? 3 : 12));
const LAYER_BYTES = Math.round((Number(values.megabytes ?? (values.quick ? 150 : 1000)) * 1e6) / LAYERS);
const NAMESPACE = "bench";
/** Short, so that little is missed before a process ends. */
const SAMPLE_MS = 10;
const TICKS_PER_SECOND = Number((await promisify(execFile)("getconf", ["CLK_TCK"])).stdout);

const daemon = await startDaemon();
const client = createClient({ address: daemon.address, namespace: NAMESPACE });
const registry = await startRegistry();
const layout = join(tmpdir(), `bench-pull-${process.pid}`);
try {
  const name = `${registry.host}/bench/large:1`;
  await putLargeImage();
  const ours = [
    process.execPath,
    fileURLToPath(new URL("contender/pull.mjs", import.meta.url)),
    daemon.address,
    NAMESPACE,
    name,
  ];
  const contenders = [
    { name: "ours", command: ours },
    ...(Number.parseInt(daemon.version, 10) < 2
      ? []
      : [{ name: "ours, via the daemon", command: [...ours, "daemon"] }]),
    {
      name: "ctr image pull",
      command: ["ctr", "-a", daemon.socketPath, "-n", NAMESPACE, "image", "pull", "--plain-http", name],
    },
    {
      name: "skopeo copy",
      command: [
        "skopeo",
        "copy",
        "--quiet",
        "--insecure-policy",
        "--src-tls-verify=false",
        `docker://${name}`,
        `oci:${layout}`,
      ],
    },
  ];
  const runs = new Map(contenders.map(({ name: contender }) => [contender, []]));
  // Contenders take turns, so that a slow moment of the machine affects all. Round 0 warms the caches.
  for (let round = 0; round <= ROUNDS; round++) {
    for (const { name: contender, command } of contenders) {
      const figures = await measure(command);
      if (round > 0) runs.get(contender).push(figures);
      await forget(name);
    }
  }
  await report("pull", [tableOf(contenders, runs)], { daemon });
} finally {
  await registry[Symbol.asyncDispose]();
  await client.close();
  await daemon.stop();
  await rm(layout, { recursive: true, force: true });
}

/**
 * Half of each layer is noise, half is repeated text. Together they compress about as well as real images.
 */
async function putLargeImage() {
  const layers = [];
  for (let layer = 0; layer < LAYERS; layer++) {
    const noise = createCipheriv("aes-128-ctr", Buffer.alloc(16, layer), Buffer.alloc(16));
    const half = Buffer.alloc(LAYER_BYTES / 2);
    layers.push([
      { path: `layer-${layer}/noise`, contents: noise.update(half) },
      { path: `layer-${layer}/text`, contents: Buffer.alloc(LAYER_BYTES / 2, `layer ${layer} of many\n`) },
    ]);
  }
  await putImage(registry, "bench/large:1", await ociArchive(await buildImage({ layers })));
}

/** Removes what a contender fetched, so that the next one starts with nothing. */
async function forget(name) {
  const images = await client.images.list();
  for (const image of images) if (image.name === name) await client.images.remove(name, { sync: true });
  await client.leases.collectGarbage();
  await rm(layout, { recursive: true, force: true });
}

/**
 * Runs a command to its end.
 *
 * @returns seconds; CPU seconds of the command, and of the daemon meanwhile; the command's peak MB of memory.
 */
async function measure([program, ...args]) {
  const daemonBefore = await cpuSeconds(daemon.pid);
  const start = performance.now();
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  let told = "";
  child.stdout.on("data", (chunk) => {
    told += chunk;
  });
  child.stderr.on("data", (chunk) => {
    said += chunk;
  });
  let cpu = 0;
  let memory = 0;
  const sampling = setInterval(async () => {
    const sample = await Promise.all([cpuSeconds(child.pid), peakMegabytes(child.pid)]).catch(() => [0, 0]);
    cpu = Math.max(cpu, sample[0]);
    memory = Math.max(memory, sample[1]);
  }, SAMPLE_MS);
  const [code] = await once(child, "close");
  const seconds = (performance.now() - start) / 1000;
  clearInterval(sampling);
  if (code !== 0) throw new Error(`${program} ended with ${code}: ${said.slice(-500)}`);
  // Our program prints how long the pull itself took. The other programs print something else, or nothing.
  return {
    seconds,
    pulling: Number(told) || seconds,
    cpu,
    daemonCpu: (await cpuSeconds(daemon.pid)) - daemonBefore,
    memory,
  };
}

/** Includes the children that the process has waited for: the daemon starts some to unpack. */
async function cpuSeconds(pid) {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  return ticks / TICKS_PER_SECOND;
}

async function peakMegabytes(pid) {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return (Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024) / 1e6;
}

function tableOf(contenders, runs) {
  const medians = (contender) => {
    const of = (key) => median(runs.get(contender).map((figures) => figures[key]));
    return {
      seconds: of("seconds"),
      pulling: of("pulling"),
      cpu: of("cpu"),
      daemonCpu: of("daemonCpu"),
      memory: of("memory"),
    };
  };
  const base = medians("ctr image pull");
  const ratio = (value, to) => (to === 0 ? "" : round(value / to, 2));
  return {
    title: `An image of ${LAYERS} layers of ${round(LAYER_BYTES / 1e6)} MB, from a registry on this machine: medians of ${ROUNDS}.`,
    rows: contenders.map(({ name }) => {
      const own = medians(name);
      return {
        contender: name,
        seconds: round(own.seconds, 2),
        "time / ctr's": ratio(own.seconds, base.seconds),
        "once started": ratio(own.pulling, base.seconds),
        "CPU s": round(own.cpu, 2),
        "CPU / ctr's": ratio(own.cpu, base.cpu),
        "daemon's CPU s": round(own.daemonCpu, 2),
        "daemon's CPU / ctr's": ratio(own.daemonCpu, base.daemonCpu),
        "peak MB": Math.round(own.memory),
        "peak / ctr's": ratio(own.memory, base.memory),
      };
    }),
  };
}
