import * as zlib from "node:zlib";
import {
  zstdFrames as framesOf,
  skippableFrame,
  zstdFrame,
} from "@wfe-containerd/test-infra/images/zstd-frames";
import { describe, expect, test } from "vitest";
import { isZstd, unzstd, zstdFrames } from "./zstd.js";

/** Undefined before Node 22.15. */
const { zstdCompressSync } = zlib as { zstdCompressSync?: (bytes: Uint8Array) => Buffer };

const text = Buffer.from("some text, again and again. ".repeat(6_000));
const skipped = skippableFrame(Buffer.from("nobody reads this"));

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size);
}

async function all(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function split(bytes: Uint8Array, size = 1000): Promise<Buffer[]> {
  const frames: Buffer[] = [];
  for await (const frame of zstdFrames(pieces(bytes, size), "it")) frames.push(await all(frame));
  return frames;
}

describe("zstd is taken apart into its frames", () => {
  const [one, two] = [zstdFrame(Buffer.from("first ".repeat(50))), zstdFrame(Buffer.from("two"))];
  const blocks = zstdFrame(text);

  test.each<[string, Buffer[], Buffer[]]>([
    ["one", [one], [one]],
    ["an empty one", [zstdFrame(Buffer.alloc(0))], [zstdFrame(Buffer.alloc(0))]],
    ["several", [one, two, one], [one, two, one]],
    [
      "some to be skipped, first, between and last",
      [skipped, one, skipped, skipped, two, skipped],
      [one, two],
    ],
    ["none, before what is no zstd", [Buffer.from("garbage")], []],
    ["one, before what is no zstd", [two, Buffer.from("garbage")], [two]],
    ["one, before three bytes", [two, Buffer.from("\n\n\n")], [two]],
    ["none", [], []],
  ])("%s", async (_, parts, frames) => {
    for (const size of [1, 7, 1_000_000]) expect(await split(Buffer.concat(parts), size)).toEqual(frames);
  });

  test("whatever its header says", async () => {
    // A single segment of five bytes with a checksum; a block of one repeated byte; the output of a
    // compressor.
    const frames = [
      Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x24, 5, 0x2b, 0, 0, 0x61, 1, 2, 3, 4]),
      Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xe3, 1, 2, 3, 4, 1, 2, 3, 4, 5, 6, 7, 8, 1, 0, 0]),
      ...(zstdCompressSync === undefined ? [] : [zstdCompressSync(text)]),
    ];
    expect(await split(Buffer.concat(frames))).toEqual(frames);
  });

  test("of several blocks", async () => {
    const [first, second, ...others] = await split(Buffer.concat([blocks, two]), 10_000);
    expect(first?.equals(blocks)).toBe(true);
    expect([second, ...others]).toEqual([two]);
  });

  test.each([5, 7, 20, 200])("and is refused when it is cut off after %i bytes", async (length) => {
    await expect(split(one.subarray(0, length))).rejects.toMatchObject({
      kind: "invalid-argument",
      message: expect.stringContaining("it was cut off"),
    });
  });
});

test("zstd is known by its first bytes", () => {
  for (const bytes of [zstdFrame(text), skipped]) expect(isZstd(bytes)).toBe(true);
  for (const bytes of [Buffer.alloc(0), Buffer.from([0x28, 0xb5, 0x2f]), Buffer.from("a tar")])
    expect(isZstd(bytes)).toBe(false);
});

test("all frames are decompressed where Node can, and else it is said which Node could", async () => {
  const frames = [skipped, framesOf(text, 3), skipped, zstdCompressSync?.(text) ?? zstdFrame(text)];
  const reading = all(unzstd(pieces(Buffer.concat(frames), 1000), "the archive"));
  if (zstdCompressSync !== undefined) expect((await reading).equals(Buffer.concat([text, text]))).toBe(true);
  else
    await expect(reading).rejects.toMatchObject({
      kind: "not-implemented",
      message:
        "the archive is compressed with zstd, which needs Node.js 22.15 or later; allowed: gzip, or no compression",
    });
});
