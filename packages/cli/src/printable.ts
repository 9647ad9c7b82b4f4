/** What moves a terminal's cursor, changes its title or its colours, or the order in which text is shown. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const CONTROLS = /[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** More of a message is of no use to who reads it. */
const MOST_CHARACTERS = 4000;

/**
 * Text as the command itself prints it, wherever it comes from: images, registries, runtimes and step files are other people's. Controls stand there
 * as `\x1b` and the like. A message may have several lines, each after the first being indented; it has 4000 characters at most.
 */
export function printable(text: string): string {
  const more = text.length - MOST_CHARACTERS;
  const cut = more > 0 ? `${text.slice(0, MOST_CHARACTERS)}… (${more} characters more)` : text;
  return cut.replaceAll("\r\n", "\n").split("\n").map(printableLine).join("\n  ");
}

/** The same for what is one line, such as a cell of a table; of any length. */
export function printableLine(text: string): string {
  return text.replace(CONTROLS, (sign) => {
    const code = sign.charCodeAt(0);
    return code <= 0xff
      ? `\\x${code.toString(16).padStart(2, "0")}`
      : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

/** A value as JSON, in lines; what JSON itself leaves as it is among controls is escaped as JSON has it. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, undefined, 2)
    .split("\n")
    .map((line) => line.replace(CONTROLS, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`))
    .join("\n");
}
