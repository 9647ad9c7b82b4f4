import { mkdtemp, rename, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Code } from "@connectrpc/connect";
import { Metadata, status as Status } from "@grpc/grpc-js";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { parseAddress } from "./address.js";
import { probe } from "./probe.js";
import { explainStatus } from "./unavailable.js";

/** The error that `stat` fails with; undefined to call the real one. */
const look = vi.hoisted(() => ({ failure: undefined as string | undefined }));
vi.mock(import("node:fs/promises"), async (original) => {
  const real = await original();
  const stat = (...args: Parameters<typeof real.stat>) =>
    look.failure === undefined
      ? real.stat(...args)
      : Promise.reject(Object.assign(new Error(look.failure), { code: look.failure }));
  return { ...real, stat: stat as typeof real.stat };
});

let directory: string;
let path: string;

/** A socket file without a listener. */
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "probe-"));
  path = join(directory, "dead.sock");
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(join(directory, "alive.sock"), resolve));
  // Otherwise closing the server would remove the file.
  await rename(join(directory, "alive.sock"), path);
  await new Promise((resolve) => server.close(resolve));
});

afterAll(() => rm(directory, { recursive: true }));

test.each([undefined, "ENOENT", "ENOTDIR", "EACCES", "EMFILE", "EIO"])(
  "a daemon that is away is unavailable, also when its socket cannot be looked at: %s (F18)",
  async (failure) => {
    look.failure = failure;
    const address = parseAddress(path);
    expect(await probe(address, undefined)).toMatchObject({ kind: "error", code: "ECONNREFUSED" });
    const status = {
      code: Status.UNAVAILABLE,
      details: "No connection established",
      metadata: new Metadata(),
    };
    const error = await explainStatus(status, { address, tls: undefined }, new AbortController().signal);
    expect(error).toMatchObject({ code: Code.Unavailable, rawMessage: expect.stringContaining(path) });
  },
);
