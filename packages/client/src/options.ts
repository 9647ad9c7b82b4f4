import { closest, distance } from "fastest-levenshtein";
import { ContainerdError } from "./error.js";

/**
 * The names of the options in `T`. The compiler compares them with the type: no name may be missing, and none
 * may be added. An option that is an object of options itself has their names in place of `true`.
 */
export type OptionNames<T> = {
  readonly [K in keyof T]-?: true | OptionNames<Extract<NonNullable<T[K]>, object>>;
};

/**
 * Lists the options that do not exist, so that a program without types learns of a misspelt one. An option
 * whose value is undefined counts as not given.
 */
export function findUnknownOptions(options: unknown, names: OptionNames<object>, path = ""): string[] {
  if (options === undefined) return [];
  if (typeof options !== "object" || options === null || Array.isArray(options))
    return [`${path === "" ? "options" : path}: is not an object; allowed: ${Object.keys(names).join(", ")}`];
  return Object.entries(options).flatMap(([name, value]) => {
    if (value === undefined) return [];
    const field = path === "" ? name : `${path}.${name}`;
    if (!Object.hasOwn(names, name))
      return [`unknown option ${JSON.stringify(field.slice(0, 100))}${hint(name, names)}`];
    const nested = names[name as keyof typeof names] as true | OptionNames<object>;
    // Some options take a function in place of further options.
    return nested === true || typeof value === "function" ? [] : findUnknownOptions(value, nested, field);
  });
}

function hint(name: string, names: object): string {
  const known = Object.keys(names);
  const longer = known.find((option) => name.length > 2 && option.startsWith(name));
  const nearest = longer ?? closest(name, known);
  const isNear = longer !== undefined || distance(name, nearest) <= Math.max(2, name.length / 3);
  return isNear ? `; did you mean ${nearest}?` : `; allowed: ${known.join(", ")}`;
}

/**
 * Refuses options that do not exist.
 *
 * @param caller begins the error's message: `createClient`.
 * @throws ContainerdError `invalid-argument` that names all of them.
 */
export function checkOptions<T extends object>(
  caller: string,
  options: T | undefined,
  names: OptionNames<T>,
): void {
  const problems = findUnknownOptions(options, names);
  if (problems.length === 0) return;
  throw new ContainerdError(`${caller}: ${problems.join("; ")}`, { kind: "invalid-argument" });
}

/** Adds defaults to options. An option whose value is undefined gets its default, too. */
export function withDefaults<T extends object>(
  defaults: T,
  given: { readonly [K in keyof T]?: T[K] | undefined } = {},
): T {
  const set = Object.entries(given).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(set) };
}

type Method = (...args: never[]) => unknown;

/** Where a method has its options, and their names. */
type MethodOptions<M extends Method> = {
  [Index in keyof Required<Parameters<M>> & `${number}`]: readonly [
    index: Index,
    names: OptionNames<NonNullable<Parameters<M>[Index]>>,
    // Such a method returns no promise that could reject.
    ...(ReturnType<M> extends Promise<unknown> ? [] : [throws: "throws"]),
  ];
}[keyof Required<Parameters<M>> & `${number}`];

/** For each method of a noun: which argument has its options, and their names. */
export type NounOptions<Noun> = {
  readonly [K in keyof Noun as Noun[K] extends Method ? K : never]-?: Noun[K] extends Method
    ? MethodOptions<Noun[K]>
    : never;
};

/**
 * Returns the noun with methods that refuse options that do not exist. Only callers outside of this package
 * get it: inside, the compiler does this.
 */
export function refusingUnknownOptions<Noun extends object>(
  prefix: string,
  noun: Noun,
  table: NounOptions<Noun>,
): Noun {
  // Every entry of a table has this form, which the compiler cannot see for a noun that it does not know.
  const entries = table as unknown as Readonly<
    Record<string, readonly [index: string, names: OptionNames<object>, throws?: "throws"]>
  >;
  const checked = Object.entries(entries).map(([name, [index, names, throws]]) => {
    const method = noun[name as keyof Noun] as (...args: unknown[]) => unknown;
    return [
      name,
      (...args: unknown[]) => {
        try {
          checkOptions(`${prefix}.${name}`, args[Number(index)] as object | undefined, names);
        } catch (reason) {
          if (throws === undefined) return Promise.reject(reason);
          throw reason;
        }
        return method(...args);
      },
    ];
  });
  return { ...noun, ...Object.fromEntries(checked) };
}
