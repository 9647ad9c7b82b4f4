/** Characters that move the cursor, change the title or the colours, or change the order of the text. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const CONTROLS = /[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** Longer messages are cut: nobody reads more. */
const MOST_CHARACTERS = 4000;

/**
 * Makes text safe to print on a terminal. Use it for text from images, registries, runtimes and step files,
 * which may be hostile.
 *
 * Control characters become `\x1b` and the like. Lines after the first are indented. The text is cut after
 * 4000 characters.
 */
export function printable(text: string): string {
  const more = text.length - MOST_CHARACTERS;
  const cut = more > 0 ? `${text.slice(0, MOST_CHARACTERS)}… (${more} characters more)` : text;
  return cut.replaceAll("\r\n", "\n").split("\n").map(printableLine).join("\n  ");
}

/** Does the same for a single line, such as a cell of a table. A line is not cut. */
export function printableLine(text: string): string {
  return text.replace(CONTROLS, (sign) => {
    const code = sign.charCodeAt(0);
    return code <= 0xff
      ? `\\x${code.toString(16).padStart(2, "0")}`
      : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

/** Formats a value as JSON in one line, with the same escapes as {@link toJson}. */
export function toJsonLine(value: unknown): string {
  return escapeControls(JSON.stringify(value));
}

/**
 * Formats a value as indented JSON. Control characters that JSON allows are escaped as `\u009b` and the like.
 */
export function toJson(value: unknown): string {
  return JSON.stringify(value, undefined, 2).split("\n").map(escapeControls).join("\n");
}

function escapeControls(json: string): string {
  return json.replace(CONTROLS, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
