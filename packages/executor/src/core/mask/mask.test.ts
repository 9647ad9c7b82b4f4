import { createHash } from "node:crypto";
import { FUZZ_RUNS } from "@wfe-containerd/test-infra/fuzz";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createMaskers, type Masker } from "./mask.js";

type Bytes = string | Uint8Array;

function mask(secrets: readonly Bytes[], chunks: readonly Bytes[]): string {
  return maskWith(createMaskers(secrets.map((secret) => Buffer.from(secret)))(), chunks);
}

function maskWith(masker: Masker, chunks: readonly Bytes[]): string {
  const given = chunks.map((chunk) => {
    const buffer = Buffer.from(chunk);
    const shown = Buffer.from(masker.push(buffer));
    // The reader reads the next bytes into it.
    buffer.fill(0);
    return shown;
  });
  return Buffer.concat([...given, masker.end()]).toString("latin1");
}

const SECRET = "S3cr3t/wörd+with=signs & spaces\"'";

const FORMS: [string, (secret: string) => string][] = [
  ["as it is", (secret) => secret],
  ["in base64", (secret) => Buffer.from(secret).toString("base64").replace(/=*$/, "")],
  ["in base64 for URLs", (secret) => Buffer.from(secret).toString("base64url")],
  ["percent-encoded", encodeURIComponent],
  [
    "percent-encoded in lower case",
    (secret) => encodeURIComponent(secret).replaceAll(/%../g, (code) => code.toLowerCase()),
  ],
  ["as a form", (secret) => new URLSearchParams({ x: secret }).toString().slice(2)],
  ["as JSON", (secret) => JSON.stringify(secret).slice(1, -1)],
  ["in hexadecimal digits", (secret) => Buffer.from(secret).toString("hex")],
];

test.each(FORMS)("a secret is masked %s, and nothing around it", (_, encode) => {
  expect(mask([SECRET], [`before ${encode(SECRET)} after\n`])).toBe("before *** after\n");
});

test.each([
  ["base64", (bytes: Buffer) => wrap(bytes.toString("base64"), 76)],
  ["openssl base64, and PEM", (bytes: Buffer) => wrap(bytes.toString("base64"), 64)],
  [
    "base64 with carriage returns",
    (bytes: Buffer) => wrap(bytes.toString("base64"), 76).replaceAll("\n", "\r\n"),
  ],
  ["xxd -p", (bytes: Buffer) => wrap(bytes.toString("hex"), 60)],
])("a long secret is masked in the lines that %s makes of it", (_, encode) => {
  for (const length of [60, 91, 100, 1_600]) {
    // As in a file, which ends with a newline of its own.
    const secret = Buffer.from(
      `${createHash("sha512").update(String(length)).digest("base64").repeat(20).slice(0, length)}`,
    );
    const printed = encode(Buffer.concat([secret, Buffer.from("\n")]));
    const masked = mask([secret], [printed]);
    // The last line may be very short. Fewer than eight bytes of it may be seen.
    const shown = masked.replaceAll("***", "").replaceAll(/\s/g, "");
    expect(shown.length, masked).toBeLessThan(17);
  }
});

function wrap(text: string, columns: number): string {
  return `${text.match(new RegExp(`.{1,${columns}}`, "g"))?.join("\n") ?? ""}\n`;
}

test("a secret inside something longer that is in base64 shows nothing but its borders", () => {
  const secret = "correct horse battery staple";
  for (let before = 0; before < 6; before++) {
    const text = Buffer.from(`${"u".repeat(before)}${secret}:tail`).toString("base64");
    const masked = mask([secret], [text]);
    expect(masked).toContain("***");
    // A digit at either border also belongs to other text.
    const shown = Buffer.from(masked.replace("***", ""), "base64").toString();
    for (const word of ["correct", "horse", "battery", "staple"]) expect(shown).not.toContain(word);
  }
});

test("each line of a secret that has several is masked, and all of it as one", () => {
  const key = "-----BEGIN KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEF\n-----END KEY-----\n";
  expect(mask([key], [key])).toBe("***\n");
  expect(mask([key], ["x: kqhkiG9w0BAQEF\r\n"])).toBe("x: ***\r\n");
});

test("a short secret is left, so that the output stays readable", () => {
  expect(mask(["no", "\n"], ["no news, nobody knows\n"])).toBe("no news, nobody knows\n");
});

test("overlapping secrets leave nothing of either", () => {
  expect(mask(["abcdef", "defghi"], ["-abcdefghi-"])).toBe("-***-");
  expect(mask(["abcd", "abcdefgh"], ["abcdefgx abcdefgh"])).toBe("***efgx ***");
  expect(mask(["aaaa"], ["aaaaaaa"])).toBe("***");
});

test("what cannot become a secret is given at once", () => {
  const masker = createMaskers([Buffer.from("password")])();
  expect(Buffer.from(masker.push(Buffer.from("enter pass"))).toString()).toBe("enter ");
  expect(Buffer.from(masker.push(Buffer.from("phrase: "))).toString()).toBe("passphrase: ");
  expect(Buffer.from(masker.push(Buffer.from("password"))).toString()).toBe("***");
  expect(masker.end().byteLength).toBe(0);
});

// Few letters, so that there are many beginnings, overlaps and repeats.
const word = fc.string({ unit: fc.constantFrom("a", "b", "c"), minLength: 4, maxLength: 8 });
const noise = fc.string({ unit: fc.constantFrom("a", "b", "c", " "), maxLength: 12 });
const text = fc
  .tuple(fc.array(word, { minLength: 1, maxLength: 3 }), fc.array(noise))
  .chain(([secrets, parts]) =>
    fc.tuple(
      fc.constant(secrets),
      fc.array(
        fc.oneof(fc.constantFrom(...secrets), fc.constantFrom(...(parts.length === 0 ? [""] : parts))),
        { maxLength: 12 },
      ),
    ),
  );

test("however the output is cut, the same comes out, and no secret does", () => {
  fc.assert(
    fc.property(text, fc.array(fc.integer({ min: 1, max: 5 })), ([secrets, parts], sizes) => {
      const whole = parts.join("");
      const once = mask(secrets, [whole]);
      for (const secret of secrets) expect(once).not.toContain(secret);
      const chunks: string[] = [];
      for (let at = 0, cut = 0; at < whole.length; cut++) {
        const size = sizes.length === 0 ? 1 : (sizes[cut % sizes.length] as number);
        chunks.push(whole.slice(at, at + size));
        at += size;
      }
      expect(mask(secrets, chunks)).toBe(once);
    }),
    { numRuns: FUZZ_RUNS },
  );
});

test("a secret that is cut off at the end is masked as far as it came, from four bytes on", () => {
  expect(mask(["password"], ["it is passwor"])).toBe("it is ***");
  expect(mask(["password"], ["it is pass"])).toBe("it is ***");
  expect(mask(["password"], ["it is pas"])).toBe("it is pas");
  expect(mask(["password"], ["it is passwor\n"])).toBe("it is passwor\n");
  expect(mask(["password"], [`x ${Buffer.from("password").toString("hex").slice(0, 7)}`])).toBe("x ***");
});

test("what holds no secret passes to the byte", () => {
  const secret = Buffer.from("not-in-there-at-all");
  fc.assert(
    fc.property(fc.array(fc.uint8Array()), (chunks) => {
      expect(mask([secret], chunks)).toBe(Buffer.concat(chunks).toString("latin1"));
    }),
  );
});

describe("secrets too long to be looked for byte by byte", () => {
  const line = (at: number, length = 64): string =>
    createHash("sha512").update(String(at)).digest("base64url").slice(0, length);
  const text = Array.from({ length: 500 }, (_, at) => line(at)).join("/+ ü");
  const lines = Array.from({ length: 500 }, (_, at) => line(at, 30 + (at % 50))).join("\n");
  const noise = "before: ";
  const [ofText, ofLines] = [text, lines].map((secret) => createMaskers([Buffer.from(secret)])) as [
    () => Masker,
    () => Masker,
  ];

  test.each(FORMS)("are masked %s, and nothing around", (_, encode) => {
    expect(maskWith(ofText(), [`${noise}${encode(text)} after\n`])).toBe(`${noise}*** after\n`);
    expect(maskWith(ofText(), [`${noise}${encode(text)}`, "\n"])).toBe(`${noise}***\n`);
  });

  test("are masked in bytes that are no text", () => {
    // As many bytes as a step's secrets may have, from a Lehmer generator.
    const bytes = new Uint8Array(1024 * 1024);
    for (let at = 0, state = 1; at < bytes.byteLength; at++) {
      state = (state * 48_271) % 0x7fffffff;
      bytes[at] = state >> 8;
    }
    const maskers = createMaskers([bytes]);
    expect(maskWith(maskers(), ["a", bytes, "b"])).toBe("a***b");
    expect(maskWith(maskers(), [Buffer.from(bytes).toString("hex").toUpperCase()])).toBe("***");
  });

  test("are masked inside something longer that is in base64", () => {
    for (let before = 0; before < 6; before++) {
      const masked = maskWith(ofText(), [
        Buffer.from(`${"u".repeat(before)}${text}:tail`).toString("base64"),
      ]);
      expect(masked).toMatch(/^[\w+/]{0,9}\*\*\*[\w+/=]{0,12}$/);
    }
  });

  test("are masked as a whole, and each line that is long enough by itself", () => {
    expect(maskWith(ofLines(), [`${lines}\n`])).toBe("***\n");
    const printed = lines.split("\n");
    for (const at of [5, 6, 49, 149, 250, 499]) {
      const [one = "", two = ""] = [printed[at], printed[at + 1]];
      expect(maskWith(ofLines(), [`a ${one} b\n`])).toBe("a *** b\n");
      expect(maskWith(ofLines(), [`a ${Buffer.from(one).toString("hex")} b\n`])).toBe("a *** b\n");
      expect(maskWith(ofLines(), [`${one}\n${two}\n`])).not.toContain(one.slice(0, 8));
    }
    // The first lines, then other text: the second line stays masked, though the whole secret begins so.
    expect(maskWith(ofLines(), [`${printed.slice(0, 6).join("\n")}\nx`])).not.toMatch(/[\w-]{30}/);
  });

  test("are masked as far as they come, where they are cut off", () => {
    for (const length of [4, 31, 32, 33, 64, 1000, 20_001])
      expect(maskWith(ofText(), [`${noise}${text.slice(0, length)}`])).toBe(`${noise}***`);
    expect(maskWith(ofText(), [`${noise}${text.slice(0, 1000)}!${noise.repeat(5)}`])).toMatch(
      /^before: \*\*\*.{0,31}!(before: ){5}$/,
    );
  });

  test("are masked beside short ones, and over them", () => {
    const end = text.slice(-12);
    expect(mask([text, `${end}tail`, "short"], [`short ${text}tail short`])).toBe("*** *** ***");
  });

  test("what cannot become one is given at once", () => {
    const masker = ofText();
    const push = (chunk: string): string => Buffer.from(masker.push(Buffer.from(chunk))).toString();
    expect(push("name: ")).toBe("name: ");
    expect(push(`x${text.slice(0, 15)}`)).toBe("x");
    expect(push("!")).toBe(`${text.slice(0, 15)}!`);
    // Bytes that are certain to be masked are not held back.
    expect(push(text.slice(0, 1000))).toBe("***");
    expect(push(text.slice(1000))).toBe("");
    expect(push("\n")).toBe("\n");
  });

  test("that repeat themselves are masked, in the time that their length takes", () => {
    const zeros = new Uint8Array(64 * 1024);
    expect(mask([zeros], ["a", new Uint8Array(100_000), "b".repeat(32)])).toBe(`a***${"b".repeat(32)}`);
  });

  const pieces = fc.array(
    fc.oneof(
      fc.constantFrom(" ", "ab", "\n", "short"),
      fc.tuple(fc.nat(31_000), fc.nat(200)).map(([at, length]) => text.slice(at, at + length)),
      fc.nat(300).map((length) => text.slice(0, length)),
      fc.nat(498).map((at) =>
        lines
          .split("\n")
          .slice(at, at + 2)
          .join("\n"),
      ),
      fc.constantFrom(text, lines, lines.split("\n")[7] as string),
    ),
    { maxLength: 6 },
  );

  test("however the output is cut, the same comes out, and no secret does", () => {
    const maskers = createMaskers([text, lines, "short"].map((secret) => Buffer.from(secret)));
    const run = (chunks: readonly Uint8Array[]): string => maskWith(maskers(), chunks);
    fc.assert(
      fc.property(pieces, fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1 }), (parts, sizes) => {
        const whole = Buffer.from(parts.join(""));
        const once = run([whole]);
        for (const secret of [text, lines, "short"]) expect(once).not.toContain(secret);
        const chunks: Uint8Array[] = [];
        for (let at = 0, cut = 0; at < whole.byteLength; cut++) {
          const size = sizes[cut % sizes.length] as number;
          chunks.push(whole.subarray(at, at + size));
          at += size;
        }
        expect(run(chunks)).toBe(once);
      }),
      { numRuns: 200 },
    );
  });
});
