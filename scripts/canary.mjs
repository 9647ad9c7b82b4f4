/** Every secret that a test uses holds this word: it is looked for in all that the tests print, and must not be there. */
export const CANARY = "secret-canary";

/** The forms in which a secret shows: as it is, percent-encoded, in base64 at each of its three alignments, and in hexadecimal digits. */
const FORMS = [
  ["plain", CANARY],
  ["percent-encoded", encodeURIComponent(CANARY).replaceAll("-", "%2D")],
  ["hexadecimal", Buffer.from(CANARY).toString("hex")],
  ...[0, 1, 2].map((shift) => [`base64, shifted by ${shift}`, base64At(shift)]),
];

/** In which forms a secret is in a text; empty when in none. */
export function findCanaries(text) {
  return FORMS.filter(([, form]) => text.includes(form)).map(([name]) => name);
}

/** Those digits of base64 that depend on the word alone, when so many bytes of something else stand before it. */
function base64At(shift) {
  const encoded = Buffer.from("\0".repeat(shift) + CANARY).toString("base64");
  const end = Math.floor(((shift + CANARY.length) * 8) / 6);
  return encoded.slice(Math.ceil((shift * 8) / 6), end);
}
