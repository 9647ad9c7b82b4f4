import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import { storeStdin } from "./stdin-file.js";

let directory: string;
let path: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "test-stdin-"));
  path = join(directory, "stdin");
});
afterEach(() => rm(directory, { recursive: true }));

const { signal: never } = new AbortController();

test("texts and bytes are stored as they are, in a file that others cannot read", async () => {
  async function* source() {
    yield "één\n";
    yield new Uint8Array([0, 255]);
  }
  await storeStdin(source(), { path, stop: never });
  expect(await readFile(path)).toEqual(Buffer.concat([Buffer.from("één\n"), Buffer.from([0, 255])]));
  // A file that is there already is not ours.
  await expect(storeStdin("x", { path, stop: never })).rejects.toMatchObject({
    kind: "io",
    message: expect.stringContaining("could not store the standard input"),
  });
});

test("a source that is too long is refused, and left", async () => {
  let isLeft = false;
  async function* source() {
    try {
      for (;;) yield "four";
    } finally {
      isLeft = true;
    }
  }
  await expect(storeStdin(source(), { path, stop: never, maxBytes: 10 })).rejects.toMatchObject({
    kind: "refused",
    issues: [{ field: "stdin" }],
    message: expect.stringContaining("has more than 10 bytes"),
  });
  await expect.poll(() => isLeft).toBe(true);
});

test("a source that fails is an error", async () => {
  async function* source() {
    yield "half";
    throw new Error("the disk was pulled out");
  }
  await expect(storeStdin(source(), { path, stop: never })).rejects.toMatchObject({
    kind: "io",
    message: "stdin: could not be read to its end: the disk was pulled out",
  });
});

test("a source that waits for ever is left when the process is not to be started any more", async () => {
  const source = new Readable({ read: () => undefined });
  const stop = new AbortController();
  const storing = storeStdin(source, { path, stop: stop.signal });
  stop.abort();
  await storing;
  expect(source.destroyed).toBe(true);
});
