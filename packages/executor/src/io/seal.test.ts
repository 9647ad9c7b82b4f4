import fc from "fast-check";
import { expect, test } from "vitest";
import { createSeal, createSealFilter } from "./seal.js";

/** Cuts bytes at any places, as reads of a file do. */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const ends = [...places.map((place) => place % (bytes.byteLength + 1)), bytes.byteLength].toSorted(
    (a, b) => a - b,
  );
  return ends.map((end, at) => bytes.subarray(ends[at - 1] ?? 0, end));
}

test("all output comes through, and nothing of the seals, wherever reads end and whatever follows", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 100 }),
      fc.uint8Array({ maxLength: 40 }),
      fc.integer({ min: 1, max: 3 }),
      fc.array(fc.nat(), { maxLength: 8 }),
      (output, after, seals, places) => {
        const seal = createSeal();
        const filter = createSealFilter(seal);
        filter.arm();
        const sealed = [output, ...Array<Uint8Array>(seals).fill(seal), after];
        const read = cut(Buffer.concat(sealed), places).flatMap((part) => filter.push(part));
        expect(Buffer.concat([...read, filter.end()])).toEqual(Buffer.concat([output, after]));
        expect(filter.sealAt).toBe(output.byteLength);
      },
    ),
  );
});

test("a seal that was cut off is output without a seal, to the byte", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat({ max: 31 }), (output, sealBytes) => {
      const seal = createSeal();
      const filter = createSealFilter(seal);
      filter.arm();
      const file = Buffer.concat([output, seal.subarray(0, sealBytes)]);
      expect(Buffer.concat([...filter.push(file), filter.end()])).toEqual(file);
      expect(filter.sealAt).toBeUndefined();
    }),
  );
});

test("before it is armed, nothing is held back or copied", () => {
  const filter = createSealFilter(createSeal());
  const chunk = new Uint8Array(10);
  expect(filter.push(chunk)).toEqual([chunk]);
  expect(filter.push(chunk)[0]).toBe(chunk);
});

test("what it returns is copied by slice(), also while the seal is expected", () => {
  const filter = createSealFilter(createSeal());
  filter.arm();
  const buffer = Buffer.alloc(100, "a");
  const copies = filter.push(buffer).map((part) => part.slice());
  buffer.fill("b");
  expect(Buffer.concat(copies).toString()).toMatch(/^a+$/);
});
