import * as zlib from "node:zlib";
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import { skippableFrame, zstdFrames } from "@wfe-containerd/test-infra/images/zstd-frames";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ContainerdError } from "../error.js";
import { decodeBody, parseCodings } from "./content-coding.js";

async function* chunks(bytes: Uint8Array, size = 7): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size);
}

async function decode(codings: readonly string[], body: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const part of decodeBody("it", codings, body)) parts.push(part);
  return Buffer.concat(parts).toString("utf8");
}

describe("parseCodings", () => {
  test.each([
    [[], []],
    [[""], []],
    [["identity"], []],
    [["gzip"], ["gzip"]],
    [["GZIP"], ["gzip"]],
    [["x-gzip"], ["gzip"]],
    [["gzip, br"], ["gzip", "br"]],
    [[" gzip ,, identity,\tbr "], ["gzip", "br"]],
    [
      ["gzip", "zstd"],
      ["gzip", "zstd"],
    ],
  ])("reads %j as %j", (headers, expected) => {
    expect(parseCodings(headers)).toEqual(expected);
  });
});

describe("decodeBody", () => {
  const text = '{"token": "some text that compresses, that compresses"}';

  test.each([
    [[], Buffer.from(text)],
    [["gzip"], gzipSync(text)],
    [["gzip"], Buffer.concat([gzipSync(text.slice(0, 9)), gzipSync(text.slice(9))])],
    [["deflate"], deflateSync(text)],
    [["deflate"], deflateRawSync(text)],
    [["br"], brotliCompressSync(text)],
    [["gzip", "br"], brotliCompressSync(gzipSync(text))],
    [["gzip", "gzip"], gzipSync(gzipSync(text))],
  ])("undoes %j", async (codings, bytes) => {
    expect(await decode(codings, chunks(bytes))).toBe(text);
  });

  // Node has had zstd since 22.15.
  const hasZstd = "createZstdDecompress" in zlib;
  const halves = [skippableFrame(Buffer.from("note")), zstdFrames(Buffer.from(text), 2)];

  test.each([
    [["zstd"], Buffer.concat(halves)],
    [["gzip", "zstd"], zstdFrames(gzipSync(text), 3)],
  ])("undoes %j of several frames, where Node can", async (codings, bytes) => {
    const decoding = decode(codings, chunks(bytes));
    if (hasZstd) expect(await decoding).toBe(text);
    else await expect(decoding).rejects.toMatchObject({ kind: "not-implemented" });
  });

  test.each([
    ["no zstd", Buffer.from(text), "data-loss"],
    ["too short", Buffer.from("x"), "data-loss"],
    ["cut off", Buffer.concat(halves).subarray(0, -3), hasZstd ? "data-loss" : "not-implemented"],
  ])("refuses zstd that is %s", async (_, bytes, kind) => {
    const refused = {
      kind,
      ...(kind === "data-loss" && { message: expect.stringMatching(/says Content-Encoding: zstd/) }),
    };
    await expect(decode(["zstd"], chunks(bytes))).rejects.toMatchObject(refused);
  });

  test("takes an empty body in any coding", async () => {
    expect(await decode(["gzip"], chunks(Buffer.alloc(0)))).toBe("");
  });

  test.each([
    [["gzip"], Buffer.from(text), "data-loss", /says Content-Encoding: gzip/],
    [["gzip"], gzipSync(text).subarray(0, 30), "data-loss", /says Content-Encoding: gzip/],
    [["br", "gzip"], gzipSync(text), "data-loss", /says Content-Encoding: br/],
    [["rot13"], Buffer.from(text), "not-implemented", /coding "rot13"; allowed: gzip/],
    [Array(5).fill("gzip"), gzipSync(text), "not-implemented", /5 content codings/],
  ])("refuses %j of other bytes", async (codings, bytes, kind, message) => {
    await expect(decode(codings, chunks(bytes))).rejects.toMatchObject({
      kind,
      message: expect.stringMatching(message),
      cause: { isTransient: false },
    });
  });

  test("passes on what the body throws, as it is", async () => {
    const cut = new ContainerdError("cut", { kind: "unavailable", cause: { isTransient: true } });
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield gzipSync(text).subarray(0, 20);
      throw cut;
    }
    await expect(decode(["gzip"], broken())).rejects.toBe(cut);
  });

  test("ends the body when its reader has enough", async () => {
    let isEnded = false;
    async function* endless(): AsyncGenerator<Uint8Array> {
      try {
        const zip = gzipSync(Buffer.alloc(100_000));
        for (;;) yield zip;
      } finally {
        isEnded = true;
      }
    }
    for await (const part of decodeBody("it", ["gzip"], endless())) {
      expect(part.byteLength).toBeGreaterThan(0);
      break;
    }
    await expect.poll(() => isEnded).toBe(true);
  });

  test("gives back whatever was coded, in chunks of any size", async () => {
    const coders = { gzip: gzipSync, deflate: deflateSync, br: brotliCompressSync } as const;
    const names = fc.array(fc.constantFrom("gzip", "deflate", "br"), { maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(fc.string(), names, fc.integer({ min: 1, max: 50 }), async (given, codings, size) => {
        const coded = codings.reduce<Uint8Array>(
          (bytes, name) => coders[name as "gzip"](bytes),
          Buffer.from(given),
        );
        expect(await decode(codings, chunks(coded, size))).toBe(Buffer.from(given).toString("utf8"));
      }),
      { numRuns: 50 },
    );
  });
});
