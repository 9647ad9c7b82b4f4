import fc from "fast-check";
import { expect, test } from "vitest";
import { createMasker } from "./mask.js";

function mask(secrets: readonly (string | Uint8Array)[], chunks: readonly (string | Uint8Array)[]): string {
  const masker = createMasker(secrets.map((secret) => Buffer.from(secret)));
  const given = chunks.map((chunk) => Buffer.from(masker.push(Buffer.from(chunk))));
  return Buffer.concat([...given, masker.end()]).toString("latin1");
}

const SECRET = "S3cr3t/wörd+with=signs & spaces\"'";

test.each<[string, (secret: string) => string]>([
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
])("a secret is masked %s, and nothing around it", (_, encode) => {
  expect(mask([SECRET], [`before ${encode(SECRET)} after\n`])).toBe("before *** after\n");
});

test("a secret inside something longer that is in base64 shows nothing but its borders", () => {
  const secret = "correct horse battery staple";
  for (let before = 0; before < 6; before++) {
    const text = Buffer.from(`${"u".repeat(before)}${secret}:tail`).toString("base64");
    const masked = mask([secret], [text]);
    expect(masked).toContain("***");
    // A digit at either border belongs to something else as well.
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
  const masker = createMasker([Buffer.from("password")]);
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
    { numRuns: 3_000 },
  );
});

test("what holds no secret passes to the byte", () => {
  const secret = Buffer.from("not-in-there-at-all");
  fc.assert(
    fc.property(fc.array(fc.uint8Array()), (chunks) => {
      expect(mask([secret], chunks)).toBe(Buffer.concat(chunks).toString("latin1"));
    }),
  );
});
