import { otherCommandWord } from "./docker-other-commands.js";

/**
 * Returns commander's message about a mistake in the command line as one line that looks like all our
 * messages. A command that only docker has is told with what to do instead.
 *
 * @param parent the command that an unknown command was given to. Default: the program itself.
 */
export function mistakeText(text: string, parent?: string): string {
  const other = otherCommandWord(text, parent);
  if (other !== undefined) return other;
  return text
    .replace(/^error: /, "wfe-containerd: ")
    .replace(/\s*\(Did you mean (?:one of )?(.*)\?\)/, "; did you mean $1?");
}
