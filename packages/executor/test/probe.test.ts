import { chmod, copyFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { compareProbe, PROFILES, type Profile } from "../../../test-infra/probe/expected.js";
import type { SpecInput } from "../src/core/spec/create-spec.js";
import { type Bundle, createBundle, HOST_PROGRAMS } from "./runc.js";

const INPUTS: Record<Profile, Partial<SpecInput>> = {
  default: { user: { uid: 65534, gid: 65534 } },
  root: { user: { uid: 0, gid: 0 } },
  privileged: { user: { uid: 0, gid: 0 }, privileged: true },
};

const MEMORY_BYTES = 64 * 1024 * 1024;
const ABSTRACT = `wfe-probe-${process.pid}`;

let bundle: Bundle;
let tcp: Server;
let abstract: Server;

beforeAll(async () => {
  bundle = await createBundle();
  await copyFile(
    fileURLToPath(new URL("../../../test-infra/probe/probe.pl", import.meta.url)),
    join(bundle.rootfs, "probe.pl"),
  );
  await copyFile("/usr/bin/id", join(bundle.rootfs, "bin/suid"));
  await chmod(join(bundle.rootfs, "bin/suid"), 0o4755);
  tcp = await listen({ port: 0, host: "127.0.0.1" });
  abstract = await listen({ path: `\0${ABSTRACT}` });
});

afterAll(async () => {
  tcp.close();
  abstract.close();
  await bundle[Symbol.asyncDispose]();
});

function listen(options: { port: number; host: string } | { path: string }): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", reject).listen(options, () => resolve(server));
  });
}

async function probe(input: Partial<SpecInput>): Promise<string> {
  const address = tcp.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const { stdout, stderr, exitCode } = await bundle.run("exec perl /probe.pl", {
    mounts: [HOST_PROGRAMS],
    env: [
      "PATH=/usr/bin:/bin",
      `PROBE_PORT=${port}`,
      `PROBE_ABSTRACT=${ABSTRACT}`,
      `PROBE_PROCESS=${process.pid}`,
      "PROBE_PIDS=50",
      `PROBE_MEMORY=${MEMORY_BYTES}`,
    ],
    resources: { pidsLimit: 50, memoryBytes: MEMORY_BYTES },
    ...input,
  });
  expect(stderr).toBe("");
  expect(exitCode).toBe(0);
  return stdout;
}

test.each(PROFILES)("from inside, the profile %s is as the table says", async (profile) => {
  expect(compareProbe(await probe(INPUTS[profile]), profile)).toEqual([]);
});

test("on the host's network, what listens there is reached: the attempts do not fail for reasons of their own", async () => {
  const output = await probe({ ...INPUTS.default, network: "host" });
  expect(output).toContain("the host's loopback\treached\n");
  expect(output).toContain("an abstract socket of the host's\treached\n");
});

test("without a filter, without limits, the attempts succeed that those refuse", async () => {
  const output = await probe({ ...INPUTS.root, seccomp: "unconfined", resources: { pidsLimit: 500 } });
  for (const attempt of [
    "unshare a user namespace",
    "keyrings",
    "userfaultfd",
    "fork past the limit",
    "eat memory past the limit",
  ]) {
    expect(output).toContain(`${attempt}\tallowed\n`);
  }
});
