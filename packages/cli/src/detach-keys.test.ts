import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { parseDetachKeys, withoutDetachKeys } from "./detach-keys.js";

/** Types chunks. Tells what is passed on, and how often the keys were typed. */
async function type(keys: string, chunks: readonly string[]): Promise<[string, number]> {
  let detached = 0;
  const input = new PassThrough();
  const passed = text(
    input.pipe(
      withoutDetachKeys(Buffer.from(keys), () => {
        detached++;
      }),
    ),
  );
  for (const chunk of chunks) input.write(chunk);
  input.end();
  return [await passed, detached];
}

test.each([
  [undefined, "\x10\x11"],
  ["", "\x10\x11"],
  ["ctrl-a", "\x01"],
  ["a,b,ctrl-z", "ab\x1a"],
  ["ctrl-@,ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_", "\0\x1b\x1c\x1d\x1e\x1f"],
])("%j are keys", (given, bytes) => {
  expect(parseDetachKeys(given).toString()).toBe(bytes);
});

test.each([["ctrl-"], ["ctrl-A"], ["ctrl-é"], ["ab"], ["a,"], ["é"], ["ctrl-p ctrl-q"]])(
  "%j are none",
  (given) => {
    expect(() => parseDetachKeys(given)).toThrow(
      /^--detach-keys: ".*" is no key; allowed: .*; example: ctrl-x,q$/,
    );
  },
);

test.each<[string, readonly string[], [string, number]]>([
  ["the keys at once", ["ls\npq"], ["ls\n", 1]],
  ["one after the other", ["ls\n", "p", "q"], ["ls\n", 1]],
  ["what follows them", ["pqrest", "more"], ["", 1]],
  ["a beginning of them", ["p", "x"], ["px", 0]],
  ["a beginning again", ["pp", "q"], ["p", 1]],
  ["a beginning at the end", ["ap"], ["ap", 0]],
])("%s", async (_, chunks, expected) => {
  expect(await type("pq", chunks)).toEqual(expected);
});

test("everything is passed on if the keys are not among it, however it comes", async () => {
  const chunk = fc.string({ unit: fc.constantFrom("p", "q", "x") });
  await fc.assert(
    fc.asyncProperty(fc.array(chunk), async (chunks) => {
      const typed = chunks.join("");
      const at = typed.indexOf("pq");
      expect(await type("pq", chunks)).toEqual(at === -1 ? [typed, 0] : [typed.slice(0, at), 1]);
    }),
  );
});
