import { FUZZ_RUNS } from "@wfe-containerd/test-infra/fuzz";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { OutputIssue } from "./output-issue.js";
import { createOutputParser, type OutputLimits } from "./output-line.js";

function parse(chunks: readonly Uint8Array[], limits?: Partial<OutputLimits>): Record<string, string> {
  const parser = createOutputParser(limits === undefined ? {} : { limits });
  for (const chunk of chunks) parser.push(chunk);
  parser.end();
  return { ...parser.outputs };
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test.each([
  ["##wfe[output key=value]\n", { key: "value" }],
  ["##wfe[output key=value]", { key: "value" }],
  ["##wfe[output key=value]\r\n", { key: "value" }],
  ["##wfe[output k=]\n", { k: "" }],
  ["##wfe[output k=a=b]]\n", { k: "a=b]" }],
  ["##wfe[output k= spaces kept ]\n", { k: " spaces kept " }],
  ["##wfe[output a=1]\n##wfe[output a=2]\n", { a: "2" }],
  ["##wfe[output k=grüße]\n", { k: "grüße" }],
  ["noise\n##wfe[output b-c_d=1]\nnoise", { "b-c_d": "1" }],
])("%j gives %j", (text, expected) => {
  expect(parse([bytes(text)])).toEqual(expected);
});

test.each([
  " ##wfe[output k=v]\n",
  "x##wfe[output k=v]\n",
  "##wfe[output k=v\n",
  "##wfe[output kv]\n",
  "##wfe[output =v]\n",
  "##wfe[output 1k=v]\n",
  "##wfe[output k k=v]\n",
  "##wfe[output other.exit_code=0]\n",
  "##wfe[output __proto__=v]\n",
  "##wfe[output constructor=v]\n",
  "##wfe[output k=v] tail\n",
  "##wfe[notice k=v]\n",
  "##WFE[output k=v]\n",
])("%j gives no output", (text) => {
  expect(parse([bytes(text)])).toEqual({});
});

function issuesOf(text: string, limits?: Partial<OutputLimits>) {
  const heard: OutputIssue[] = [];
  const parser = createOutputParser({ limits, onIssue: (issue) => heard.push(issue) });
  // Byte by byte, so that marks and lines are cut in the middle.
  for (const chunk of bytes(text).length > 5000
    ? [bytes(text)]
    : [...bytes(text)].map((byte) => Uint8Array.of(byte)))
    parser.push(chunk);
  parser.end();
  expect(parser.issues).toEqual(heard);
  return { issues: heard.map(({ reason, key }) => ({ reason, key })), outputs: { ...parser.outputs }, heard };
}

test.each([
  ["##wfe[output k=v", undefined],
  ["##wfe[output kv]", undefined],
  ["##wfe[output =v]", undefined],
  ["##wfe[output ", undefined],
  ["##wfe[output 1k=v]", undefined],
  ["##wfe[output k k=v]", undefined],
  ["##wfe[output other.exit_code=0]", undefined],
  ["##wfe[output __proto__=v]", undefined],
  ["##wfe[output k=v] tail", undefined],
])("%j looks like an output but is not one, and is reported", (line) => {
  expect(issuesOf(`${line}\n`).issues).toEqual([{ reason: "invalid-line", key: undefined }]);
});

test.each([
  " ##wfe[output k=v]\n",
  "x##wfe[output k=v]\n",
  "##wfe[notice k=v]\n",
  "##WFE[output k=v]\n",
  "##wfe[output k=v]\n##wfe[output k=v]\n",
])("%j has no issue", (text) => expect(issuesOf(text).issues).toEqual([]));

test.each([
  ["a line too long", `##wfe[output k=${"x".repeat(99)}]`, { lineBytes: 100 }, "line-too-long", "k", {}],
  [
    "one whose key is cut",
    `##wfe[output ${"k".repeat(99)}`,
    { lineBytes: 100 },
    "line-too-long",
    undefined,
    {},
  ],
  ["the last without a newline", `##wfe[output k=${"x".repeat(200_000)}`, {}, "line-too-long", "k", {}],
  ["one too many", "##wfe[output a=1]\n##wfe[output b=1]", { count: 1 }, "too-many", "b", { a: "1" }],
  [
    "too much together",
    "##wfe[output a=1]\n##wfe[output b=1]",
    { totalBytes: 3 },
    "too-large",
    "b",
    { a: "1" },
  ],
  [
    "too much in bytes",
    "##wfe[output a=ü]\n##wfe[output a=üü]",
    { totalBytes: 4 },
    "too-large",
    "a",
    { a: "ü" },
  ],
  ["NUL in a value", "##wfe[output a=1\0]", {}, "nul", "a", {}],
  ["two names in case", "##wfe[output a=1]\n##wfe[output A=2]", {}, "same-variable", "A", { a: "1", A: "2" }],
  [
    "two names in a dash",
    "##wfe[output a_b=1]\n##wfe[output a-b=2]",
    {},
    "same-variable",
    "a-b",
    { a_b: "1", "a-b": "2" },
  ],
])("%s is said", (_, text, limits, reason, key, outputs) => {
  expect(issuesOf(text, limits)).toMatchObject({ issues: [{ reason, key }], outputs });
});

test("an exactly fitting line is taken", () => {
  expect(parse([bytes("##wfe[output k=v]")], { lineBytes: 17 })).toEqual({ k: "v" });
  expect(issuesOf("##wfe[output k=v]\r", { lineBytes: 17 }).issues).toEqual([
    { reason: "line-too-long", key: "k" },
  ]);
});

test("what is set last comes last: so it wins where two outputs become one variable", () => {
  const { outputs, issues } = issuesOf("##wfe[output a=1]\n##wfe[output A=2]\n##wfe[output a=3]\n");
  expect(Object.entries(outputs)).toEqual([
    ["A", "2"],
    ["a", "3"],
  ]);
  expect(issues).toEqual([
    { reason: "same-variable", key: "A" },
    { reason: "same-variable", key: "a" },
  ]);
});

test("an issue is said once for a key, without the value, and a hundred at most", () => {
  const { heard } = issuesOf("##wfe[output a=secret\0]\n".repeat(50));
  expect(heard).toEqual([
    {
      reason: "nul",
      key: "a",
      message: "output a: the value has a NUL byte; allowed: text without NUL bytes",
    },
  ]);
  const many = issuesOf(Array.from({ length: 5000 }, (_, at) => `##wfe[output k${at}=\0]\n`).join("")).heard;
  expect(many).toHaveLength(101);
  expect(many.at(-1)).toEqual({
    reason: "more",
    message: "further output lines have problems; the first 100 are listed",
  });
});

test("outputs are told as they come", () => {
  const seen: string[] = [];
  const parser = createOutputParser({ onOutput: (key, value) => seen.push(`${key}=${value}`) });
  parser.push(bytes("##wfe[output a=1]\n##wfe[out"));
  expect(seen).toEqual(["a=1"]);
  parser.push(bytes("put a=2]\n"));
  expect(seen).toEqual(["a=1", "a=2"]);
});

test("what is found is what reading line by line finds, wherever the chunks are cut", () => {
  const piece = fc.constantFrom(
    "##wfe[output a=",
    "##wfe[output ",
    "b=",
    "#",
    "##",
    "\n",
    "\n\n",
    "]",
    "]\n",
    "y\n",
    "x",
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), fc.array(fc.nat(12)), (pieces, cuts) => {
      const text = pieces.join("");
      const expected: Record<string, string> = {};
      for (const line of text.split("\n")) {
        const [, key, value] = /^##wfe\[output ([^=]*)=(.*)\]$/.exec(line) ?? [];
        if (key !== undefined && value !== undefined && /^[A-Za-z_][\w-]*$/.test(key.trim()))
          expected[key.trim()] = value;
      }
      const whole = bytes(text);
      const chunks: Uint8Array[] = [];
      let at = 0;
      for (const cut of cuts) {
        chunks.push(whole.subarray(at, at + cut));
        at += cut;
      }
      expect(parse([...chunks, whole.subarray(at)])).toEqual(expected);
    }),
    { numRuns: FUZZ_RUNS },
  );
});

test("where the chunks are cut makes no difference", () => {
  const line = fc.oneof(
    fc.string(),
    fc
      .tuple(fc.stringMatching(/^[a-z]{1,3}$/), fc.string())
      .map(([key, value]) => `##wfe[output ${key}=${value}]`),
  );
  fc.assert(
    fc.property(fc.array(line), fc.array(fc.nat(40)), (lines, cuts) => {
      const whole = bytes(lines.join("\n"));
      const chunks: Uint8Array[] = [];
      let at = 0;
      for (const cut of cuts) {
        chunks.push(whole.subarray(at, at + cut));
        at += cut;
      }
      chunks.push(whole.subarray(at));
      expect(parse(chunks)).toEqual(parse([whole]));
    }),
  );
});

test("limits hold: lines, their number, and their sum", () => {
  const long = bytes(`##wfe[output k=${"x".repeat(2000)}]\n##wfe[output ok=1]\n`);
  expect(parse([long], { lineBytes: 1000 })).toEqual({ ok: "1" });
  const many = bytes(Array.from({ length: 10 }, (_, at) => `##wfe[output k${at}=v]\n`).join(""));
  expect(Object.keys(parse([many], { count: 3 }))).toEqual(["k0", "k1", "k2"]);
  expect(parse([bytes("##wfe[output a=123456789]\n##wfe[output b=1]\n")], { totalBytes: 5 })).toEqual({
    b: "1",
  });
});

test("a line without end is read in bounded memory", () => {
  const parser = createOutputParser();
  const chunk = new Uint8Array(1024 * 1024).fill(0x78);
  for (let at = 0; at < 256; at++) parser.push(chunk);
  parser.push(bytes("\n##wfe[output after=1]\n"));
  parser.end();
  expect({ ...parser.outputs }).toEqual({ after: "1" });
});
