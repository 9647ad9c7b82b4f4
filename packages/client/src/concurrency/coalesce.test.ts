import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { coalesce } from "./coalesce.js";

async function* chunksOf(chunks: readonly Uint8Array[], failure?: Error): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield chunk;
  if (failure !== undefined) throw failure;
}

async function collect(source: AsyncIterable<Uint8Array[]>): Promise<Uint8Array[]> {
  const all: Uint8Array[] = [];
  for await (const chunks of source) all.push(Buffer.concat(chunks));
  return all;
}

const bytes = fc.uint8Array({ maxLength: 20 });

describe("batch", () => {
  test("gives every byte once, in order, and holds little more than it may", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(bytes), fc.integer({ min: 1, max: 50 }), async (chunks, maxBytes) => {
        const given = await collect(coalesce(chunksOf(chunks), maxBytes));
        expect(Buffer.concat(given)).toEqual(Buffer.concat(chunks));
        for (const chunk of given) {
          expect(chunk.byteLength).toBeGreaterThan(0);
          expect(chunk.byteLength).toBeLessThan(maxBytes + 20);
        }
      }),
    );
  });

  test("gathers what comes while its taker is busy", async () => {
    const source = Array.from({ length: 10 }, (_, at) => Uint8Array.of(at));
    const given: number[] = [];
    for await (const chunks of coalesce(chunksOf(source), 4)) {
      given.push(Buffer.concat(chunks).byteLength);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(Math.max(...given)).toBe(4);
    expect(given.reduce((a, b) => a + b)).toBe(10);
  });

  test("gives what came before a failure, then fails", async () => {
    const given: number[] = [];
    const failing = coalesce(chunksOf([Uint8Array.of(1), Uint8Array.of(2)], new Error("cut")), 100);
    await expect(
      (async () => {
        for await (const chunks of failing) given.push(...Buffer.concat(chunks));
      })(),
    ).rejects.toThrow("cut");
    expect(given).toEqual([1, 2]);
  });

  test("ends its source when its taker leaves", async () => {
    let ended = false;
    async function* endless(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield Uint8Array.of(0);
      } finally {
        ended = true;
      }
    }
    for await (const _ of coalesce(endless(), 10)) break;
    expect(ended).toBe(true);
  });
});
