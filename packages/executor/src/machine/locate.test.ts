import { once } from "node:events";
import { readFileSync, readlinkSync } from "node:fs";
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client } from "@wfe-containerd/client";
import { describe, expect, onTestFinished, test } from "vitest";
import { isListener } from "./listener.js";
import { locateDaemon, locateProcess } from "./locate.js";

const namespace = Number(/\d+/.exec(readlinkSync("/proc/self/ns/pid"))?.[0]);

/** In another PID namespace than the machine's first, the processes of the machine cannot be seen. */
const inFirst = (locality: string): string => (namespace === 4_026_531_836 ? locality : "containerized");

describe("a daemon behind a Unix socket", () => {
  test("is remote if its process id is that of another program here, or of no process", async () => {
    expect(readFileSync("/proc/self/comm", "utf8")).not.toMatch(/^containerd/);
    for (const pid of [process.pid, 2 ** 30])
      expect(await locateProcess({ pid, pidNamespace: namespace })).toBe("remote");
  });

  test("is in a container, or we are, if it counts processes in another namespace", async () => {
    expect(await locateProcess({ pid: process.pid, pidNamespace: namespace + 1 })).toBe("containerized");
  });

  test("is remote if it does not tell its process, and another program listens on its socket", async () => {
    const directory = await mkdtemp(join(tmpdir(), "of a forwarder-"));
    onTestFinished(() => rm(directory, { recursive: true }));
    const path = join(directory, "socket");
    const clientOf = (address: string) =>
      ({ isLocal: true, address, introspection: { server: async () => ({ process: undefined }) } }) as Client;
    // Nobody is seen to listen there, as from another network namespace.
    expect(await isListener(/^/, path)).toBeUndefined();
    expect(await locateDaemon(clientOf(`unix://${path}`))).toBe(inFirst("local"));
    const server = createServer().listen(path);
    await once(server, "listening");
    onTestFinished(() => void server.close());
    await symlink(directory, `${directory}-link`);
    onTestFinished(() => rm(`${directory}-link`));
    const ours = new RegExp(`^${readFileSync("/proc/self/comm", "utf8").trim()}`);
    for (const each of [path, join(`${directory}-link`, "socket")]) {
      expect(await isListener(ours, each)).toBe(true);
      expect(await locateDaemon(clientOf(`unix://${each}`))).toBe(inFirst("remote"));
    }
  });
});
