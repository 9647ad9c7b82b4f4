import fc from "fast-check";

/** Pieces that often break parsers: separators, ends, very long parts, and names that every object has. */
export const PIECES: readonly string[] = [
  "",
  "\0",
  "\n",
  "\r\n",
  " ",
  "\t",
  ":",
  "::",
  "/",
  "//",
  "..",
  "../",
  "@",
  "=",
  ",",
  ";",
  "|",
  "-",
  "_",
  ".",
  '"',
  '\\"',
  "\\",
  "'",
  "[",
  "]",
  "{",
  "}",
  "#",
  "%",
  "*",
  "a",
  "A",
  "0",
  "9",
  "1m",
  "a=1,",
  'a="b",',
  "a:x:0:0\n",
  "é",
  "\u{1f600}",
  "\ud800",
  "\ufeff",
  "__proto__",
  "constructor",
  "toString",
  "-1",
  "1e999",
  "4294967296",
  "9007199254740993",
];

const piece = fc.oneof(
  fc.constantFrom(...PIECES),
  fc.string({ maxLength: 4 }),
  fc
    .tuple(fc.constantFrom(...PIECES), fc.integer({ min: 2, max: 300 }))
    .map(([text, times]) => text.repeat(times)),
);

/** Samples in which a few places are cut out, filled in, or both. */
export function mutatedText(samples: readonly string[]): fc.Arbitrary<string> {
  const edit = fc.tuple(fc.nat(), fc.nat(6), piece);
  return fc
    .tuple(fc.constantFrom(...samples), fc.array(edit, { minLength: 1, maxLength: 4 }))
    .map(([sample, edits]) =>
      edits.reduce((text, [where, count, filled]) => {
        const at = where % (text.length + 1);
        return text.slice(0, at) + filled + text.slice(at + count);
      }, sample),
    );
}

/** Values of any kind. A program can pass values that no file can contain. */
export const anything = fc.anything({
  withBigInt: true,
  withDate: true,
  withMap: true,
  withNullPrototype: true,
  withSparseArray: true,
  withTypedArray: true,
});
const part = fc.oneof(
  fc.anything({ withBigInt: true, withDate: true, withMap: true, maxDepth: 2 }),
  fc.constantFrom<unknown>(
    null,
    undefined,
    "",
    0,
    -1,
    1.5,
    2 ** 53,
    Number.NaN,
    true,
    [],
    {},
    [[]],
    [null],
    "\0",
    "a\nb",
  ),
  piece,
);
const key = fc.oneof(
  fc.constantFrom("__proto__", "constructor", "prototype", "toString", "length"),
  fc.string({ maxLength: 8 }),
);

/** Samples in which a few values, at any depth, are replaced, edited, dropped, or joined by new ones. */
export function mutatedJson(samples: readonly unknown[]): fc.Arbitrary<unknown> {
  const edit = fc.tuple(
    fc.nat(),
    fc.constantFrom("replace", "drop", "add", "edit"),
    key,
    part,
    mutatedText(["x"]),
  );
  return fc
    .tuple(fc.constantFrom(...samples), fc.array(edit, { minLength: 1, maxLength: 3 }))
    .map(([sample, edits]) => {
      const copy: { root: unknown } = { root: structuredClone(sample) };
      for (const [where, how, name, value, text] of edits) {
        const places = placesIn(copy);
        const place = places[where % places.length];
        if (place === undefined) break;
        const [parent, own] = place as [Record<string, unknown>, string];
        const old = parent[own];
        const given = structuredClone(value);
        if (how === "drop") delete parent[own];
        else if (how === "add" && typeof old === "object" && old !== null) define(old, name, given);
        else if (how === "edit" && typeof old === "string") define(parent, own, old + text);
        else define(parent, own, given);
      }
      return copy.root;
    });
}

function define(parent: object, name: string, given: unknown): void {
  if (Array.isArray(parent) && !/^\d+$/.test(name)) parent.push(given);
  else if (Object.isExtensible(parent))
    Object.defineProperty(parent, name, {
      value: given,
      enumerable: true,
      configurable: true,
      writable: true,
    });
}

/** Lists each value as the object that contains it, and its key in that object. */
function placesIn(parent: object, depth = 0): [object, string][] {
  return Object.keys(parent).flatMap((name): [object, string][] => {
    const inner: unknown = (parent as Record<string, unknown>)[name];
    const isWalked = typeof inner === "object" && inner !== null && depth < 6 && !ArrayBuffer.isView(inner);
    return [[parent, name], ...(isWalked ? placesIn(inner, depth + 1) : [])];
  });
}
