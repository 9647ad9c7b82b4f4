/** Adds members to an object, each of which is made when it is first used. */
export function addLazyMembers<Base extends object, Added extends object>(
  base: Base,
  makers: { readonly [Name in keyof Added]: () => Added[Name] },
): Base & Added {
  for (const [name, make] of Object.entries(makers as Record<string, () => unknown>)) {
    let made: { readonly value: unknown } | undefined;
    Object.defineProperty(base, name, {
      enumerable: true,
      get() {
        made ??= { value: make() };
        return made.value;
      },
    });
  }
  return base as Base & Added;
}
