// How soon a command that is typed has ended: ours, beside docker's, ctr's, and Node's own start. Each is a
// process of its own, as at a terminal. Needs the built packages.
// Usage: node benchmarks/start.mjs [--rounds 15] [--quick]
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createClient } from "@wfe-containerd/client";
import { startDaemon } from "@wfe-containerd/client/daemon";
import { busyboxArchive } from "@wfe-containerd/test-infra/images";
import { DOCKER_IMAGE, startDocker } from "./contender/docker.mjs";
import { inTurns, median, round, timed } from "./figures.mjs";
import { report } from "./results.mjs";

const { values } = parseArgs({ options: { rounds: { type: "string" }, quick: { type: "boolean" } } });
const ROUNDS = Number(values.rounds ?? (values.quick ? 5 : 15));
// runc keeps the names of containers for the whole machine, by namespace.
const NAMESPACE = `bench-${process.pid}`;
const IMAGE = "docker.io/library/busybox:latest";
const TRUE = "/bin/true";
const MAIN = fileURLToPath(new URL("../packages/cli/dist/main.js", import.meta.url));

const daemon = await startDaemon();
const client = createClient({ address: daemon.address, namespace: NAMESPACE });
const directory = await mkdtemp(join(tmpdir(), "bench-start-"));
const docker = await startDocker({ daemon, directory });
try {
  await client.images.import(Readable.from([await busyboxArchive()]), { name: IMAGE });
  const ours = (...args) => [process.execPath, MAIN, ...args];
  const ctr = ["ctr", "--address", daemon.socketPath, "--namespace", NAMESPACE];
  let runs = 0;
  const contenders = [
    { name: "node -e 0", command: () => [process.execPath, "-e", "0"] },
    { name: "ours, --version", command: () => ours("--version") },
    { name: "ours, --help", command: () => ours("--help") },
    { name: "ours, ps", command: () => ours("ps") },
    { name: "ours, run", command: () => ours("run", IMAGE, TRUE) },
    ...(docker === undefined
      ? []
      : [
          { name: "docker ps", command: () => ["docker", "-H", docker.address, "ps"] },
          {
            name: "docker run --rm",
            command: () => [
              "docker",
              "-H",
              docker.address,
              "run",
              "--rm",
              "--network=none",
              DOCKER_IMAGE,
              TRUE,
            ],
          },
        ]),
    { name: "ctr run --rm", command: () => [...ctr, "run", "--rm", IMAGE, `run-${++runs}`, TRUE] },
  ];
  for (const { command } of contenders) await runCommand(command());
  const times = await inTurns(contenders, ROUNDS, ({ command }) => timed(() => runCommand(command())));
  const node = median(times.get("node -e 0"));
  const rows = contenders.map(({ name }) => ({
    command: name,
    median: round(median(times.get(name))),
    fastest: round(Math.min(...times.get(name))),
    "median / node's": round(median(times.get(name)) / node, 2),
  }));
  const title = `A command from its start to its end, in milliseconds, ${ROUNDS} of each in turns. \`run\` runs \`true\` in busybox.`;
  await report("start", [{ title, rows }], { daemon });
} finally {
  await docker?.stop();
  await client.close();
  await daemon.stop();
  await rm(directory, { recursive: true, force: true });
}

async function runCommand([program, ...args]) {
  const env = { ...process.env, WFE_CONTAINERD_ADDR: daemon.address, CONTAINERD_NAMESPACE: NAMESPACE };
  const child = spawn(program, args, { env, stdio: ["ignore", "ignore", "inherit"] });
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`${program} ${args.join(" ")} ended with exit code ${code}`);
}
