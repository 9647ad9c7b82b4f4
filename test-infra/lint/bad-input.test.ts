import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** What must be refused, with nothing changed; the tests say in their names, `bad input 7`, which of them they show. */
const ROWS = [
  "ids and namespaces outside containerd's pattern; CR or LF in what becomes a header",
  "mount targets that are relative, hold .. or NUL, are the kernel's, or are given twice",
  "links inside an image that lead out of it, when files are read from it",
  "mount sources outside an allow-list, links in them, the host's root, /etc, containerd's own state",
  "sockets of container runtimes as mount sources",
  "mount options that widen, and separators that would inject some",
  "environment: names that are none, NUL, duplicates, sizes over the kernel's",
  "argv that is empty or has NUL; a shell that takes it apart",
  "working directories that are relative or the runtime's descriptors",
  "ids over 2^31-1; passwd and group files without bounds",
  "newlines in host names and further hosts",
  "output names that are none, outputs over a limit",
  "commands in the output other than the documented line",
  "archives: absolute names, .., links out of them, devices, set-uid programs, bombs",
  "references with a scheme, credentials, upper case, a tag beside a digest",
  "digests other than sha256 and sha512; wrong sizes",
  "manifests that are too large, indexes too deep, documents that are both",
  "decompression bombs; wrong diff IDs",
  "the urls of foreign layers",
  "a token realm that has no business with the registry",
  "credentials along a redirect to another host, or from https to http",
  "labels of images that containerd takes orders from",
  "log URIs from a step",
  "directories for output that are links, another's, or open to others",
  "plain text to other machines, half a certificate, secrets in errors, a slash in a helper's name",
] as const;

const PLACES = ["packages/client", "packages/executor", "packages/cli"];
/** Of a test or a group of them; whatever comes before the row's number may be other rows. */
const NAME = /(?:\b(?:test|it|describe)(?:\.\w+)*(?:<[^()]*>)?\(|\]\)\(\s*|^\s*\[)\s*["'`]([^"'`]*)/gm;

async function rowsTested(): Promise<Set<number>> {
  const rows = new Set<number>();
  for (const place of PLACES) {
    const names = await readdir(join(ROOT, place), { recursive: true });
    for (const name of names.filter((each) => each.endsWith(".test.ts") && !each.includes("node_modules"))) {
      for (const row of rowsNamed(await readFile(join(ROOT, place, name), "utf8"))) rows.add(row);
    }
  }
  return rows;
}

function rowsNamed(source: string): number[] {
  return [...source.matchAll(NAME)].flatMap(([, name = ""]) =>
    [...name.matchAll(/\bbad input (\d+)\b/g)].map(([, row]) => Number(row)),
  );
}

test("every input that must be refused has a test that says so", async () => {
  const tested = await rowsTested();
  const missing = ROWS.map((what, at) => `${at + 1}: ${what}`).filter((_, at) => !tested.has(at + 1));
  expect(missing).toEqual([]);
  expect([...tested].filter((row) => row < 1 || row > ROWS.length)).toEqual([]);
});

test("and the search sees names alone", () => {
  expect(rowsNamed('test("bad input 3: x", () => {});\ndescribe("bad input 4", f);')).toEqual([3, 4]);
  expect(rowsNamed('test.each([["a"]])("bad input 12: %s", f);')).toEqual([12]);
  expect(rowsNamed('// bad input 5\nconst a = "bad input 6";')).toEqual([]);
});
