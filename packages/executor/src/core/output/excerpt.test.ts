import fc from "fast-check";
import { expect, test } from "vitest";
import { createExcerpt } from "./excerpt.js";

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

test("head and tail are the first and the last bytes, whatever the chunks, and the rest is counted", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ maxLength: 30 })), fc.nat({ max: 40 }), (chunks, limit) => {
      const excerpt = createExcerpt(limit);
      for (const chunk of chunks) excerpt.add(encode(chunk));
      const all = Buffer.from(chunks.join(""));
      const { head, tail, omittedBytes, truncated } = excerpt.read();
      expect(excerpt.bytes).toBe(all.byteLength);
      expect(truncated).toBe(all.byteLength > limit);
      expect(all.subarray(0, limit).toString().startsWith(head)).toBe(true);
      expect(all.toString().endsWith(tail)).toBe(true);
      const given = Buffer.byteLength(head) + Buffer.byteLength(tail);
      expect(omittedBytes).toBe(Math.max(0, all.byteLength - given));
    }),
  );
});

test("characters are whole at both cuts, and what a limit cuts off is counted as omitted", () => {
  const excerpt = createExcerpt(5);
  excerpt.add(encode("äöüäöü"));
  expect(excerpt.read()).toEqual({ head: "äö", tail: "öü", omittedBytes: 4, truncated: true });
});

test("a short stream is whole in both", () => {
  const excerpt = createExcerpt(100);
  excerpt.add(encode("\ufeffall of it"));
  const all = "\ufeffall of it";
  expect(excerpt.read()).toEqual({ head: all, tail: all, omittedBytes: 0, truncated: false });
});

test("bytes that are no characters are replaced, and none of them is lost at the end of a stream", () => {
  const excerpt = createExcerpt(10);
  excerpt.add(Uint8Array.of(0x61, 0xc3));
  expect(excerpt.read()).toMatchObject({ head: "a\ufffd", tail: "a\ufffd" });
});

test("bytes that are missing between head and tail count, and neither contains what is on their other side", () => {
  const excerpt = createExcerpt(10);
  excerpt.add(encode("begin"));
  excerpt.skip(100);
  excerpt.add(encode("end"));
  expect(excerpt.read()).toEqual({ head: "begin", tail: "end", omittedBytes: 100, truncated: true });
  excerpt.add(encode("-0123456789"));
  expect(excerpt.read()).toEqual({ head: "begin", tail: "0123456789", omittedBytes: 104, truncated: true });
});
