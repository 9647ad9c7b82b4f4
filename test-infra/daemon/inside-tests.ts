/**
 * What a hook makes before the first test, as one object that test files can have from their first line on.
 *
 * @param current undefined while it is not there. To use it then is an error.
 */
export function insideTests<T extends object>(current: () => T | undefined): T {
  return new Proxy({} as T, {
    get(_, name) {
      const made = current();
      if (made === undefined) throw new Error("the daemon is there only inside tests");
      return Reflect.get(made, name);
    },
  });
}
