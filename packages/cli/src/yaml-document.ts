import { createReadStream } from "node:fs";
import {
  type Document,
  type DocumentOptions,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type ParseOptions,
  parseDocument,
  type Scalar,
  type SchemaOptions,
  visit,
  type YAMLParseError,
} from "yaml";
import { fileProblem, MistakesError, UsageError } from "./failure.js";

/** No file written by hand is larger. The limit keeps a hostile step file from using much time and memory. */
const MAX_BYTES = 1024 * 1024;

/**
 * The library's check for unique keys compares each key with every other. `findDuplicateKeys` uses a set
 * instead. `prettyErrors` copies lines of the file for each of up to 100,000 errors.
 */
const OPTIONS = (lineCounter: LineCounter): ParseOptions & DocumentOptions & SchemaOptions => ({
  lineCounter,
  uniqueKeys: false,
  prettyErrors: false,
  merge: true,
});

/** A parsed YAML file. JSON is YAML too. */
export interface YamlDocument {
  /** The file's name in error messages. */
  readonly name: string;
  readonly text: string;
  readonly document: Document.Parsed;
  /** A message for each key that is given twice. A document with such keys can still be read. */
  readonly duplicateKeys: readonly string[];
  lineOf(node: Node): number | undefined;
  /** Returns an alias's target, or null if its anchor is missing. Any other node is returned unchanged. */
  targetOf(node: Node | null): Node | null;
}

/**
 * Reads and parses a file.
 *
 * @param file a path, or `-` for standard input.
 * @throws UsageError when the file cannot be read, is over 1 MiB, or is not YAML.
 */
export async function readDocument(file: string): Promise<YamlDocument> {
  const name = file === "-" ? "standard input" : file;
  const text = await read(file, name);
  const lineCounter = new LineCounter();
  const document = refuseTooDeep(name, () => parseDocument(text, OPTIONS(lineCounter)));
  const [error] = document.errors;
  if (error !== undefined) throw new UsageError(`${name}: ${problemOf(error, lineCounter)}`);
  const lineOf = (node: Node): number | undefined =>
    node.range == null ? undefined : lineCounter.linePos(node.range[0]).line;
  const targets = findTargets(document);
  const targetOf = (node: Node | null): Node | null => (isAlias(node) ? (targets.get(node) ?? null) : node);
  return { name, text, document, lineOf, targetOf, duplicateKeys: findDuplicateKeys(document, lineOf) };
}

/** Reads a file into plain values. @throws UsageError when it is not YAML, or a key is given twice. */
export async function readYaml(file: string): Promise<unknown> {
  const { name, document, duplicateKeys } = await readDocument(file);
  if (duplicateKeys.length > 0) throw new MistakesError(name, duplicateKeys);
  return document.toJS({ maxAliasCount: 100 });
}

/** Whether a key is `<<`, which merges the entries of other maps into this one. */
export function isMergeKey(key: unknown): boolean {
  return isScalar(key) && key.type === "PLAIN" && key.source === "<<";
}

/** Returns a key as it is written in the file: `1.10` stays `1.10`. */
export function keyText(key: Scalar): string {
  return typeof key.value === "string" ? key.value : (key.source ?? String(key.value));
}

/**
 * Finds where a field such as `volumes[0].target` is written. If the field is missing, finds the nearest part
 * of the document around it.
 *
 * @returns the field's key, or the item of a list.
 */
export function nodeAt(yaml: YamlDocument, node: Node | null, field: string): Node | null {
  const target = yaml.targetOf(node);
  if (isSeq(target)) {
    const [all = "", index] = /^\[(\d+)\]\.?/.exec(field) ?? [];
    const item = index === undefined ? undefined : target.items[Number(index)];
    return item === undefined ? node : nodeAt(yaml, item as Node, field.slice(all.length));
  }
  if (!isMap(target)) return node;
  const [pair] = target.items
    .filter(({ key }) => isScalar(key) && isWithin(field, keyText(key)))
    .toSorted((a, b) => keyText(b.key as Scalar).length - keyText(a.key as Scalar).length);
  if (pair === undefined) return node;
  const rest = field.slice(keyText(pair.key as Scalar).length).replace(/^\./, "");
  const inside = nodeAt(yaml, pair.value as Node | null, rest);
  return inside === pair.value || inside === null ? (pair.key as Node) : inside;
}

function isWithin(field: string, key: string): boolean {
  return field.startsWith(key) && /^(?:[.[]|$)/.test(field.slice(key.length));
}

function problemOf({ code, message, pos }: YAMLParseError, lineCounter: LineCounter): string {
  if (code === "MULTIPLE_DOCS")
    return "the file contains more than one document (---); allowed: one; put several steps into a list under steps:";
  // The library reports a stack overflow like any other mistake in the file.
  if (message.startsWith("Maximum call stack")) return TOO_DEEP;
  const { line, col } = lineCounter.linePos(pos[0]);
  return `line ${line}, column ${col}: ${message.trim()}`;
}

const TOO_DEEP = "lists and maps are nested too deeply";

/** Deep nesting, also of aliases, can overflow the stack, which throws a RangeError. */
export function refuseTooDeep<T>(name: string, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new UsageError(`${name}: ${TOO_DEEP}`, { cause });
  }
}

/** Resolves all aliases in one pass. The library's own look-up walks the whole document for each alias. */
function findTargets(document: Document.Parsed): Map<Node, Node> {
  const anchors = new Map<string, Node>();
  const targets = new Map<Node, Node>();
  visit(document, {
    // Called for scalars, maps and lists.
    Value(_, node) {
      if (node.anchor !== undefined) anchors.set(node.anchor, node);
    },
    Alias(_, alias) {
      const target = anchors.get(alias.source);
      if (target !== undefined) targets.set(alias, target);
    },
  });
  return targets;
}

function findDuplicateKeys(document: Document.Parsed, lineOf: YamlDocument["lineOf"]): string[] {
  const duplicateKeys: string[] = [];
  visit(document, {
    Map(_, map) {
      const keys = new Set<string>();
      for (const { key } of map.items) {
        if (!isScalar(key)) continue;
        const text = keyText(key);
        if (keys.has(text))
          duplicateKeys.push(
            `${JSON.stringify(text)} is given twice, the second time in line ${lineOf(key)}`,
          );
        keys.add(text);
      }
    },
  });
  return duplicateKeys;
}

async function read(file: string, name: string): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of file === "-" ? process.stdin : createReadStream(file)) {
      chunks.push(chunk as Buffer);
      bytes += (chunk as Buffer).byteLength;
      if (bytes > MAX_BYTES) break;
    }
  } catch (cause) {
    throw new UsageError(`cannot read ${file}: ${fileProblem(cause)}`, { cause });
  }
  if (bytes > MAX_BYTES)
    throw new UsageError(`${name}: is larger than 1 MiB; allowed: up to ${MAX_BYTES} bytes`);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks));
  } catch (cause) {
    throw new UsageError(`${name}: is not UTF-8 text; allowed: a file saved as UTF-8`, { cause });
  }
}
