import { stepJsonSchema } from "@wfe-containerd/executor";
import { isAlias, isMap, isScalar, isSeq, type Node, type Pair, type Scalar, type YAMLMap } from "yaml";
import { UsageError } from "./failure.js";
import { isMergeKey, keyText, type YamlDocument } from "./yaml-document.js";

/** The parts of a JSON Schema that say where a string is expected. */
interface Schema {
  readonly type?: string | readonly string[];
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema;
}

interface Entry {
  readonly key: Scalar;
  readonly value: Node | null;
}

let schema: Schema | undefined;

/** Aliases can refer to aliases, so a short file could expand to any amount of data. */
const MAX_NODES = 500_000;

/**
 * Returns a step's value as its file writes it.
 *
 * Where the schema expects a string, a value without quotes is the text as written (`1.10`, `0123`, `True`),
 * and no value (`A:`, `~`, `null`) is the empty string. Anywhere else YAML 1.2 decides, and a field without a
 * value counts as not given.
 *
 * @throws UsageError when an alias contains itself, or aliases expand to too much.
 */
export function stepValue({ targetOf }: Pick<YamlDocument, "targetOf">, node: Node | null): unknown {
  const isOpen = new Set<Node>();
  let nodes = 0;

  function count(more: number): void {
    nodes += more;
    if (nodes > MAX_NODES)
      throw new UsageError(`aliases expand to too many values; allowed: up to ${MAX_NODES} values`);
  }

  /** Goes into a node, unless it is inside itself. */
  function inside<T>(given: Node, go: () => T): T {
    if (isOpen.has(given))
      throw new UsageError("an alias contains itself; allowed: an anchor without an alias to it inside");
    isOpen.add(given);
    try {
      return go();
    } finally {
      isOpen.delete(given);
    }
  }

  function read(given: Node | null, schemas: readonly Schema[]): unknown {
    count(1);
    if (given === null) return textOf(null, schemas);
    if (!isAlias(given)) return contentOf(given, schemas);
    const target = targetOf(given);
    if (target === null)
      throw new UsageError(`the anchor &${given.source} of the alias *${given.source} does not exist`);
    return contentOf(target, schemas);
  }

  function contentOf(given: Node, schemas: readonly Schema[]): unknown {
    if (isScalar(given)) return textOf(given, schemas);
    return inside(given, () => {
      if (isSeq(given)) return given.items.map((item) => read(item as Node, schemas.flatMap(itemSchemas)));
      return isMap(given) ? mapOf(given, schemas) : undefined;
    });
  }

  function mapOf(map: YAMLMap, schemas: readonly Schema[]): Record<string, unknown> {
    const entries = new Map<string, unknown>();
    for (const { key, value } of ownAndMerged(map)) {
      const name = keyText(key);
      if (entries.has(name)) continue;
      const entry = read(
        value,
        schemas.flatMap((each) => entrySchemas(each, name)),
      );
      if (entry !== undefined) entries.set(name, entry);
    }
    return Object.fromEntries(entries);
  }

  /** A map's own entries come first, so they win over entries merged by `<<`. */
  function ownAndMerged(map: YAMLMap): Entry[] {
    const own = (map.items as Pair<Node, Node | null>[]).filter(({ key }) => !isMergeKey(key));
    const merges = map.items
      .filter(({ key }) => isMergeKey(key))
      .flatMap(({ value }) => mergedBy(value as Node));
    return [...own.flatMap(entryOf), ...merges];
  }

  function mergedBy(given: Node | null): Entry[] {
    count(1);
    const target = targetOf(given);
    if (isMap(target)) {
      count(target.items.length);
      return inside(target, () => ownAndMerged(target));
    }
    if (isSeq(target)) return inside(target, () => target.items.flatMap((item) => mergedBy(item as Node)));
    throw new UsageError("<< is given a value that is not a map; allowed: <<: *anchor, <<: [*one, *other]");
  }

  schema ??= stepJsonSchema();
  return read(node, [schema]);
}

function entryOf({ key, value }: Pair<Node, Node | null>): Entry[] {
  if (!isScalar(key)) throw new UsageError("a key is a list or a map; allowed: text");
  return [{ key, value }];
}

function textOf(scalar: Scalar | null, schemas: readonly Schema[]): unknown {
  const value = scalar?.value ?? null;
  if (typeof value === "string") return value;
  const wantsText = schemas.flatMap(alternatives).some(({ type }) => [type].flat().includes("string"));
  if (wantsText) return value === null ? "" : (scalar?.source ?? String(value));
  return value ?? undefined;
}

function alternatives(schema: Schema): readonly Schema[] {
  return schema.anyOf === undefined ? [schema] : schema.anyOf.flatMap(alternatives);
}

function itemSchemas(schema: Schema): readonly Schema[] {
  return alternatives(schema).flatMap(({ items }) => items ?? []);
}

function entrySchemas(schema: Schema, key: string): readonly Schema[] {
  const snake = key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return alternatives(schema).flatMap(({ properties = {}, additionalProperties }) => {
    for (const name of [key, snake]) if (Object.hasOwn(properties, name)) return [properties[name] as Schema];
    return typeof additionalProperties === "object" ? [additionalProperties] : [];
  });
}
