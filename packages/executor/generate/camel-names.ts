import { spellText } from "../src/core/step/spelling.js";
import { toCamelCase } from "../src/core/units/name-case.js";

/** Returns a text with the names of fields in it as programs write them. */
export function camelNames(text: string): string {
  return spellText(text, toCamelCase);
}
