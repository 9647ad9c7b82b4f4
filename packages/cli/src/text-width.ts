/** Each character takes one column: printable ASCII, and the `…` of a text that was cut. */
const PLAIN = /^[ -~…]*$/;

/**
 * Returns a function that tells how many columns a text takes on a terminal.
 *
 * string-width compiles large regular expressions when it is loaded, which takes longer than a table. So it
 * is loaded only if a text needs it.
 *
 * @param texts all texts that are measured. Of these, parts may be measured too, and what ends with `…`.
 */
export async function widthMeter(texts: readonly string[]): Promise<(text: string) => number> {
  if (texts.every((text) => PLAIN.test(text))) return ({ length }) => length;
  return (await import("string-width")).default;
}
