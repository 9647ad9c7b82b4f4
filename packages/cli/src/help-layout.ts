import type { Help } from "commander";
import { wrap } from "./wrap.js";

/** In a narrower terminal, descriptions stand below what they describe. */
const MIN_COLUMNS = 60;
/** The part of a line that names may take. A longer name has its description in the next line. */
const NAMES_PART = 0.4;
const INDENT = 2;
const GAP = 2;

/** How the help of commands is laid out: it fits the terminal, and no word is cut. */
export const HELP_LAYOUT: Pick<Help, "minWidthToWrap" | "formatItem"> = {
  // Commander would print longer lines than the terminal has columns rather than narrow ones.
  minWidthToWrap: 1,
  formatItem(name, nameWidth, description, helper) {
    const width = helper.helpWidth ?? 80;
    const left = " ".repeat(INDENT);
    if (description === "") return left + name;
    const isNarrow = width < MIN_COLUMNS;
    const room = isNarrow ? INDENT : Math.min(nameWidth, Math.floor(width * NAMES_PART));
    const lines = helper.boxWrap(description, width - INDENT - room - GAP).split("\n");
    const indent = " ".repeat(INDENT + room + GAP);
    const isShort = !isNarrow && helper.displayWidth(name) <= room;
    const text = lines.map((line) => indent + line).join("\n");
    return isShort
      ? left + name.padEnd(room + name.length - helper.displayWidth(name)) + text.slice(INDENT + room)
      : `${left}${name}\n${text}`;
  },
};

/** A command line of an example, and what is said of it. */
const EXAMPLE = /^( +\S.*?\S) {2,}(\S.*)$/;

/** Lines of prose that stand below each other. A heading ends with a colon, and a list is indented. */
const PARAGRAPH = /^(?:[^\s\n].*[^:\n]\n)+[^\s\n].*[^:\n]$/gm;

/**
 * Breaks the lines of a help that are too long, between words. The command line of an example stays whole,
 * so that it can be copied; what is said of it moves to the next line.
 */
export function fitHelp(text: string, columns: number): string {
  return text
    .replace(PARAGRAPH, (lines) =>
      lines.split("\n").some((line) => line.length > columns) ? lines.replaceAll("\n", " ") : lines,
    )
    .split("\n")
    .flatMap((line) => {
      if (line.length <= columns) return [line];
      const [, example, comment] = EXAMPLE.exec(line) ?? [];
      if (example !== undefined && comment !== undefined)
        return [example, ...wrap(comment, columns - 6).map((each) => `      ${each}`)];
      return line.startsWith(" ") ? [line] : wrap(line, columns);
    })
    .join("\n");
}
