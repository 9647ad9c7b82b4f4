import { UsageError } from "./failure.js";

/** What a step can be found by. */
export interface NamedStep {
  readonly id: string;
  readonly name: string;
}

/** There is no such step. */
export class NoStepError extends UsageError {}

/**
 * Finds the step that a word means, by docker's rule: its id, else its name, else the beginning of its id.
 * The `wfe-` before the id may be left out. Unlike containers of docker, several steps may have one name.
 *
 * @param where where the steps were looked for; it ends the error's message.
 * @throws NoStepError if there is no such step; UsageError if there are several.
 */
export function findStep<Step extends NamedStep>(
  word: string,
  steps: readonly Step[],
  where: string = "",
): Step {
  const byId = steps.find(({ id }) => id === word);
  if (byId !== undefined) return byId;
  const named = steps.filter(({ name }) => name === word && word !== "");
  const begins = steps.filter(({ id }) => id.startsWith(word) || id.startsWith(`${PREFIX}${word}`));
  const found = named.length > 0 ? named : word === "" ? [] : begins;
  const [first, ...others] = found;
  if (first === undefined) throw new NoStepError(`there is no step ${JSON.stringify(word)}${where}`);
  if (others.length === 0) return first;
  const candidates = found
    .slice(0, MAX_CANDIDATES)
    .map(({ id, name }) => (name === "" ? id : `${id} (${name})`));
  const more = found.length > MAX_CANDIDATES ? ` and ${found.length - MAX_CANDIDATES} more` : "";
  throw new UsageError(
    `${JSON.stringify(word)} means ${found.length} steps: ${candidates.join(", ")}${more}; give one of their ids`,
  );
}

/** What the id of every step begins with. */
const PREFIX = "wfe-";
const MAX_CANDIDATES = 10;
