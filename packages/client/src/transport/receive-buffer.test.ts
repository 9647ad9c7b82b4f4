import { Metadata } from "@grpc/grpc-js";
import fc from "fast-check";
import { expect, test } from "vitest";
import { createReceiveBuffer } from "./receive-buffer.js";

const OK = { code: 0, details: "", metadata: new Metadata() };

test("whatever the pace, messages come out whole and in order, and no more than the limit and one message waits", async () => {
  const sizes = fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 40 });
  const pace = fc.array(fc.boolean(), { minLength: 100, maxLength: 100 });
  await fc.assert(
    fc.asyncProperty(sizes, pace, async (lengths, reads) => {
      const limit = 50;
      const sent = lengths.map((length, index) => Buffer.alloc(length, index));
      const waiting = [...sent];
      const got: Buffer[] = [];
      let asked = 0;
      let held = 0;
      const inbox = createReceiveBuffer(limit, () => asked++);
      for (const read of reads) {
        if (!read && asked > 0 && waiting.length > 0) {
          asked--;
          const next = waiting.shift() as Buffer;
          held += next.length;
          inbox.push(next);
          expect(held).toBeLessThan(limit + 40);
        } else if (read && got.length < sent.length - waiting.length) {
          const next = (await inbox.next()) as Buffer;
          held -= next.length;
          got.push(next);
        }
        // At most one message is requested at a time, and always one while there is room.
        expect(asked).toBe(held < limit ? 1 : 0);
      }
      inbox.end(OK);
      for (let next = await inbox.next(); next !== OK; next = await inbox.next()) got.push(next as Buffer);
      expect(got).toEqual(sent.slice(0, got.length));
      expect(got).toHaveLength(sent.length - waiting.length);
    }),
  );
});

test("a reader that came first is woken by a message, and by the end", async () => {
  const inbox = createReceiveBuffer(10, () => undefined);
  const first = inbox.next();
  inbox.push(Buffer.from("a"));
  expect(await first).toEqual(Buffer.from("a"));
  const last = inbox.next();
  inbox.end(OK);
  expect(await last).toBe(OK);
  expect(await inbox.next()).toBe(OK);
});

test("what was forgotten does not come any more, and makes room", async () => {
  let asked = 0;
  const inbox = createReceiveBuffer(2, () => asked++);
  inbox.push(Buffer.from("abc"));
  expect(asked).toBe(1);
  inbox.clear();
  inbox.end(OK);
  expect(await inbox.next()).toBe(OK);
});
