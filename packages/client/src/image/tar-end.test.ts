import { gnuLong, paxHeader, rawTarEntry, TAR_END } from "@wfe-containerd/test-infra/images/raw-tar";
import fc from "fast-check";
import { extract } from "tar-stream";
import { describe, expect, test } from "vitest";
import { untilTarEnd } from "./tar-end.js";

const first = rawTarEntry({ name: "a", body: "first" });
const second = rawTarEntry({ name: "a", body: "second" });
const zeros = TAR_END.subarray(512);

async function* pieces(bytes: Uint8Array, size = 1024): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size);
}

async function all(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Names and contents of the entries, as the npm package reads them from the shortened tar. */
async function entriesOf(parts: readonly Uint8Array[], size?: number): Promise<string[]> {
  const options: object = { allowUnknownFormat: true };
  const tar = extract(options);
  tar.end(await all(untilTarEnd(pieces(Buffer.concat(parts), size))));
  const found: string[] = [];
  for await (const entry of tar)
    found.push(`${entry.header.name}=${(await all(entry as AsyncIterable<Uint8Array>)).toString()}`);
  return found;
}

describe("a tar", () => {
  test.each<[string, Uint8Array[]]>([
    ["ends with two blocks of zeros", [first, TAR_END]],
    ["ends with its stream", [first]],
    ["ends with one block of zeros and its stream", [first, zeros]],
    ["ends with zeros that are no whole block", [first, TAR_END, zeros.subarray(100)]],
    ["ends before a second tar", [first, TAR_END, second, TAR_END]],
    ["ends before garbage", [first, TAR_END, Buffer.from("garbage".repeat(1000))]],
    ["ends before a newline", [first, TAR_END, Buffer.from("\n")]],
    ["ends with a file that is not padded", [rawTarEntry({ name: "a", body: "first", isUnpadded: true })]],
    [
      "has a global header, which renames nothing",
      [paxHeader({ path: "b", size: "1" }, "g"), first, TAR_END],
    ],
    ["is of before POSIX", [rawTarEntry({ name: "a", body: "first", format: "v7" }), TAR_END]],
    [
      "has its size in a PAX header",
      [paxHeader({ size: "5" }), rawTarEntry({ name: "a", body: "first", size: 0 }), TAR_END],
    ],
    ["has a long name", [gnuLong("L", "a"), rawTarEntry({ name: "short", body: "first" }), TAR_END]],
  ])("%s", async (_, parts) => {
    for (const size of [1, 511, 100_000]) expect(await entriesOf(parts, size)).toEqual(["a=first"]);
  });

  test.each(["1", "2", "3", "4", "5", "6"])(
    "has no data behind an entry of type %s, whatever its size",
    async (type) => {
      const entry = rawTarEntry({ name: "b", type, linkname: "a", size: 512 });
      expect(await entriesOf([entry, first, TAR_END])).toEqual(["b=", "a=first"]);
    },
  );

  test.each<[string, Uint8Array[]]>([
    ["in the middle of a header", [first, second.subarray(0, 300)]],
    ['in the middle of "a"', [first, second.subarray(0, 514)]],
  ])("that is cut off %s is refused", async (where, parts) => {
    await expect(entriesOf(parts)).rejects.toMatchObject({
      kind: "invalid-argument",
      message: `the archive ends ${where}: it was cut off`,
    });
  });

  test("that goes on after a single block of zeros is refused, as by the daemon", async () => {
    await expect(entriesOf([first, zeros, second, TAR_END])).rejects.toMatchObject({
      kind: "invalid-argument",
    });
  });

  test("bytes that are not a tar are handed on unchanged", async () => {
    const bytes = Buffer.alloc(2048, "x");
    expect(await all(untilTarEnd(pieces(bytes)))).toEqual(bytes);
    expect(await all(untilTarEnd(pieces(Buffer.alloc(0))))).toEqual(Buffer.alloc(0));
  });
});

test("any bytes are handed on or refused, and what is behind the end changes nothing", async () => {
  const entry = fc.record({ name: fc.stringMatching(/^[a-z]{1,20}$/), body: fc.string({ maxLength: 1500 }) });
  await fc.assert(
    fc.asyncProperty(
      fc.array(entry, { maxLength: 4 }),
      fc.uint8Array({ maxLength: 3000 }),
      async (entries, behind) => {
        const expected = entries.map(({ name, body }) => `${name}=${body}`);
        expect(await entriesOf([...entries.map(rawTarEntry), TAR_END, behind], 700)).toEqual(expected);
        await all(untilTarEnd(pieces(behind))).catch((reason) =>
          expect(reason).toMatchObject({ kind: "invalid-argument" }),
        );
      },
    ),
    { numRuns: 50 },
  );
});
