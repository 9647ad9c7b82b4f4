import { createReadStream } from "node:fs";
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type Scalar,
  visit,
  type YAMLParseError,
} from "yaml";
import { MistakesError, UsageError } from "./failure.js";

/** Nobody writes more by hand, and whoever may write a step file must not keep us busy. */
const MAX_BYTES = 1024 * 1024;

/** A file that was read as YAML, with the lines that things are in. JSON is YAML too. */
export interface YamlDocument {
  /** How messages call the file. */
  readonly name: string;
  readonly text: string;
  readonly document: Document.Parsed;
  /** Keys that are given twice: the mistakes that leave a document readable. */
  readonly twins: readonly string[];
  lineOf(node: Node): number | undefined;
  /** What an alias stands for; any other node is its own target. */
  targetOf(node: Node | null): Node | null;
}

/** Reads a file, or standard input by the name `-`. @throws UsageError when it is not YAML. */
export async function readDocument(file: string): Promise<YamlDocument> {
  const name = file === "-" ? "standard input" : file;
  const text = await read(file, name);
  const lineCounter = new LineCounter();
  // The library compares each key of a map with each other one; `findTwins` takes a set.
  const document = parse(name, () => parseDocument(text, { lineCounter, uniqueKeys: false, merge: true }));
  const [error] = document.errors;
  if (error !== undefined) throw new UsageError(`${name}: ${problemOf(error)}`);
  const lineOf = (node: Node): number | undefined =>
    node.range == null ? undefined : lineCounter.linePos(node.range[0]).line;
  const targets = findTargets(document);
  const targetOf = (node: Node | null): Node | null => (isAlias(node) ? (targets.get(node) ?? null) : node);
  return { name, text, document, lineOf, targetOf, twins: findTwins(document, lineOf) };
}

/** A file as YAML itself reads it. @throws UsageError when it is not YAML, or a key is given twice. */
export async function readYaml(file: string): Promise<unknown> {
  const { name, document, twins } = await readDocument(file);
  if (twins.length > 0) throw new MistakesError(name, twins);
  return document.toJS({ maxAliasCount: 100 });
}

/** Whether a key is `<<`, which takes over the entries of other maps. */
export function isMergeKey(key: unknown): boolean {
  return isScalar(key) && key.type === "PLAIN" && key.source === "<<";
}

/** A key as it is written: `1.10` stays so. */
export function keyText(key: Scalar): string {
  return typeof key.value === "string" ? key.value : (key.source ?? String(key.value));
}

/**
 * Where a field such as `volumes[0].target` is written, or else what is nearest around it.
 *
 * @returns its key, or its item of a list.
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

function problemOf({ code, message }: YAMLParseError): string {
  if (code === "MULTIPLE_DOCS")
    return "it holds more than one document (---); allowed: one; several steps stand in a list under steps:";
  // The library reports what overflowed its stack as any other mistake.
  return message.startsWith("Maximum call stack") ? TOO_DEEP : message.trim();
}

const TOO_DEEP = "its lists and maps are nested too deeply";

/** Deep nesting overflows the parser's stack. */
function parse<T>(name: string, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new UsageError(`${name}: ${TOO_DEEP}`, { cause });
  }
}

/** The library's own look-up goes through the whole document for each alias. */
function findTargets(document: Document.Parsed): Map<Node, Node> {
  const anchors = new Map<string, Node>();
  const targets = new Map<Node, Node>();
  visit(document, {
    // A value is a scalar, a map or a list.
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

function findTwins(document: Document.Parsed, lineOf: YamlDocument["lineOf"]): string[] {
  const twins: string[] = [];
  visit(document, {
    Map(_, map) {
      const keys = new Set<string>();
      for (const { key } of map.items) {
        if (!isScalar(key)) continue;
        const text = keyText(key);
        if (keys.has(text))
          twins.push(`${JSON.stringify(text)} is given twice, the second time in line ${lineOf(key)}`);
        keys.add(text);
      }
    },
  });
  return twins;
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
    throw new UsageError(`cannot read ${file}: ${(cause as NodeJS.ErrnoException).code ?? cause}`, { cause });
  }
  if (bytes > MAX_BYTES)
    throw new UsageError(`${name}: has more than 1 MiB; allowed: up to ${MAX_BYTES} bytes`);
  return Buffer.concat(chunks).toString("utf8");
}
