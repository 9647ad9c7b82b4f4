/** What the first lines of the built `main.js` put before each argument; see `tsup.config.ts`. */
const MARK = ":";

/**
 * The arguments that the command was called with.
 *
 * The launcher in front of `main.js` passes `:` and then each argument with `:` before it, so that Node takes none of them for its own.
 * Called as `node main.js`, without the launcher, the arguments are as they were typed.
 */
export function commandArguments(argv: readonly string[]): string[] {
  const [first, ...marked] = argv;
  if (first !== MARK || !marked.every((argument) => argument.startsWith(MARK))) return [...argv];
  return marked.map((argument) => argument.slice(MARK.length));
}
