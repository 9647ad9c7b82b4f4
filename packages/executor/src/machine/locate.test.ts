import { readFileSync, readlinkSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { locateProcess } from "./locate.js";

const namespace = Number(/\d+/.exec(readlinkSync("/proc/self/ns/pid"))?.[0]);

describe("a daemon behind a Unix socket", () => {
  test("is remote if its process id is that of another program here, or of no process", async () => {
    expect(readFileSync("/proc/self/comm", "utf8")).not.toMatch(/^containerd/);
    for (const pid of [process.pid, 2 ** 30])
      expect(await locateProcess({ pid, pidNamespace: namespace })).toBe("remote");
  });

  test("is in a container, or we are, if it counts processes in another namespace", async () => {
    expect(await locateProcess({ pid: process.pid, pidNamespace: namespace + 1 })).toBe("containerized");
  });
});
