/** The mark that the launcher puts in front of each argument; see `tsup.config.ts`. */
const MARK = ":";

/**
 * Returns the arguments as they were typed.
 *
 * The launcher (the first lines of `main.js`) passes `:` and then each argument with `:` in front, so that
 * Node does not read any of them as its own option. Without the launcher (`node main.js`) there are no marks
 * to remove.
 *
 * @example
 * commandArguments([":", ":run", ":--rm", ":busybox"]); // ["run", "--rm", "busybox"]
 */
export function commandArguments(argv: readonly string[]): string[] {
  const [first, ...marked] = argv;
  if (first !== MARK || !marked.every((argument) => argument.startsWith(MARK))) return [...argv];
  return marked.map((argument) => argument.slice(MARK.length));
}
