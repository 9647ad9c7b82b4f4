/** Every secret in the tests contains this word, so that a search of their output finds a printed secret. */
export const CANARY = "secret-canary";

/** The forms in which a secret could be printed. In base64, each of the three alignments looks different. */
const FORMS = [
  ["plain", CANARY],
  ["percent-encoded", encodeURIComponent(CANARY).replaceAll("-", "%2D")],
  ["hexadecimal", Buffer.from(CANARY).toString("hex")],
  ...[0, 1, 2].map((shift) => [`base64, shifted by ${shift}`, base64At(shift)]),
];

/** @returns The names of the forms in which the text contains a secret. */
export function findCanaries(text) {
  return FORMS.filter(([, form]) => text.includes(form)).map(([name]) => name);
}

/** Returns the base64 digits that depend on the word alone, when `shift` other bytes come before it. */
function base64At(shift) {
  const encoded = Buffer.from("\0".repeat(shift) + CANARY).toString("base64");
  const end = Math.floor(((shift + CANARY.length) * 8) / 6);
  return encoded.slice(Math.ceil((shift * 8) / 6), end);
}
