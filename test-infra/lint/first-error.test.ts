import { readFile } from "node:fs/promises";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { parseAst } from "vitest/node";
import { sourceFiles } from "./sources.js";

const PACKAGES = fileURLToPath(new URL("../../packages", import.meta.url));

/**
 * Functions that may be awaited while a failure is handled (reported, cleaned up after, or waited out).
 *
 * Another failure must not replace the first one. So each function either cannot fail, or is the next try,
 * whose failure counts instead.
 */
const CALLS: Readonly<Record<string, string>> = {
  explain: "leaves the failure as it is when the explanation fails",
  allSettled: "never rejects",
  delay: "waits for the next try; rejects only when the caller gives up",
  wait: "as delay",
  endsInTime: "as delay",
  withTimeout: "as delay",
  retryWhileUnavailable: "is the next try",
  close: "never rejects",
  end: "never rejects",
  abandon: "never rejects",
  isTaskKnown: "never rejects",
  isPlainFile: "never rejects",
  explainTimeout: "never rejects",
};

/** By file, the next try or the next question, which may be awaited. Its failure is the answer. */
const NEXT_QUESTIONS: Readonly<Record<string, readonly string[]>> = {
  "client/src/content/content.ts": ["callService"],
  "client/src/private-daemon/daemon.ts": ["exited"],
  "client/src/image/export.ts": ["writing"],
  "client/src/transfer/pull.ts": ["daemonPlatform", "withTimeLimit"],
  "client/src/registry/docker-config-file.ts": ["readlink"],
  "client/src/registry/upload.ts": ["askStatus"],
  "client/src/image/unpack.ts": ["leaseSnapshot", "exists"],
  "executor/src/resources/mount-sources.ts": ["resolvePlace"],
  "executor/src/process/create-task.ts": ["delete", "createContainer"],
};

test("what is awaited while a failure is handled cannot take its place", async () => {
  const found = [];
  for (const path of await sourceFiles("packages/*/src/*.ts", ":!*.test.ts")) {
    const text = await readFile(path, "utf8");
    const file = relative(PACKAGES, path);
    for (const awaited of awaitedInCatch(text)) {
      if (!NEXT_QUESTIONS[file]?.includes(awaited)) found.push(`${file}: await ${awaited}`);
    }
  }
  expect(found, "end it with .catch(), use explain(), or list it here with the reason").toEqual([]);
});

test.each([
  ["try { a() } catch (e) { await look(); throw e; }", ["look"]],
  ["try { a() } catch (e) { if (await look()) throw new E(await why(), e); }", ["look", "why"]],
  ["const b = () => a().catch(async (e) => { await look(); throw e; });", ["look"]],
  ["try { a() } catch (e) { await rm(path).catch(() => undefined); throw e; }", []],
  ["try { a() } catch (e) { throw await explain(e, async () => text(await look())); }", []],
  ["try { a() } catch (e) { await delay(1); await retrier.wait(e); }", []],
  ["try { await look() } catch (e) { throw e; } finally { await look(); }", []],
])("is found: %s", (text, expected) => {
  expect(awaitedInCatch(`async function f() { ${text} }`)).toEqual(expected);
});

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

/**
 * Lists what is awaited in catch clauses and in the arguments of `.catch()`, without what is allowed. A call
 * is listed by its function's name.
 */
function awaitedInCatch(text: string): string[] {
  const found: string[] = [];
  function visit(value: unknown, isHandling: boolean): void {
    if (Array.isArray(value)) for (const each of value) visit(each, isHandling);
    if (!isNode(value)) return;
    const name = calledName(value);
    // explain() handles a failure of the explanation itself.
    if (name === "explain") return;
    if (isHandling && value.type === "AwaitExpression") {
      const awaited = value["argument"] as Node;
      const called = calledName(awaited);
      if (called === undefined) found.push(text.slice(awaited.start, awaited.end));
      else if (called !== "catch" && !(called in CALLS)) found.push(called);
    }
    for (const [key, child] of Object.entries(value)) {
      const isHandler = value.type === "CatchClause" || (name === "catch" && key === "arguments");
      visit(child, isHandling || isHandler);
    }
  }
  visit(parseAst(text, { lang: "ts" }).body, false);
  return found;
}

/** Returns the name of the function that is called: `delay`, or `close` for `ingest?.close()`. */
function calledName(node: Node): string | undefined {
  if (node.type === "ChainExpression") return calledName(node["expression"] as Node);
  if (node.type !== "CallExpression") return undefined;
  const callee = node["callee"] as Node;
  const name = callee.type === "MemberExpression" ? (callee["property"] as Node) : callee;
  return name.type === "Identifier" ? (name["name"] as string) : undefined;
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";
}
