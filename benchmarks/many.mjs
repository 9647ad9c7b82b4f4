// Runs a step on a daemon that has 1, 10, 100 and 1,000 other images, containers and leases: the step must
// not take longer. containerd's own Go client shows what of it is the daemon's.
// Usage: node benchmarks/many.mjs [--rounds 15] [--most 1000] [--quick]
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { parseArgs } from "node:util";
import { createClient } from "@wfe-containerd/client";
import { startDaemon } from "@wfe-containerd/client/daemon";
import { createExecutor } from "@wfe-containerd/executor";
import { busyboxArchive } from "@wfe-containerd/test-infra/images";
import { startGoClient } from "./contender/go-client.mjs";
import { inTurns, median, round, timed } from "./figures.mjs";
import { report } from "./results.mjs";

const { values } = parseArgs({
  options: { rounds: { type: "string" }, most: { type: "string" }, quick: { type: "boolean" } },
});
const ROUNDS = Number(values.rounds ?? (values.quick ? 7 : 15));
const MOST = Number(values.most ?? (values.quick ? 100 : 1000));
// runc keeps the names of containers for the whole machine, by namespace.
const NAMESPACE = `bench-${process.pid}`;
const IMAGE = "docker.io/library/busybox:latest";
const STEP = { name: "true", image: IMAGE, command: ["/bin/true"] };

const daemon = await startDaemon();
const client = createClient({ address: daemon.address, namespace: NAMESPACE });
const directory = await mkdtemp(join(tmpdir(), "bench-many-"));
const goClient = await startGoClient({ daemon, namespace: NAMESPACE, image: IMAGE, directory });
const executor = createExecutor({ client });
try {
  await client.images.import(Readable.from([await busyboxArchive()]), { name: IMAGE });
  const contenders = [
    { name: "ours, file mode", measure: () => timed(() => executor.run(STEP)) },
    ...(goClient === undefined
      ? []
      : [{ name: "containerd's Go client", measure: async () => (await goClient.run(1, 1))[0] }]),
  ];
  for (const { measure } of contenders) for (let at = 0; at < 5; at++) await measure();
  const rows = [];
  let made = 0;
  for (let count = 1; count <= MOST; count *= 10) {
    for (; made < count; made++) await addOthers(made);
    const times = await inTurns(contenders, ROUNDS, ({ measure }) => measure());
    const [ours, go] = contenders.map(({ name }) => median(times.get(name)));
    rows.push({
      "of each": count,
      ours: round(ours),
      "ours / with one": round(ours / (rows[0]?.ours ?? ours), 2),
      ...(go !== undefined && {
        "Go's": round(go),
        "Go's / with one": round(go / (rows[0]?.["Go's"] ?? go), 2),
      }),
    });
  }
  const title = `One step of \`true\` until it is released, in milliseconds, on a daemon that also has this many images, containers and leases: medians of ${ROUNDS} steps.`;
  await report("many", [{ title, rows }], { daemon });
} finally {
  await executor.close();
  await goClient?.stop();
  await client.close();
  await daemon.stop();
  await rm(directory, { recursive: true, force: true });
}

async function addOthers(number) {
  await client.images.tag(IMAGE, `docker.io/library/other:${number}`);
  await client.containers.create({ id: `other-${number}`, image: IMAGE, spec: {} });
  await client.leases.create({ id: `other-${number}` });
}
