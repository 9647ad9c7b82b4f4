import { expect, test } from "vitest";
import { rowsTested } from "./test-names.js";

/** Inputs that must be refused with nothing changed. A test's name says which one it shows: `bad input 7`. */
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

test("every input that must be refused has a test that says so", async () => {
  const tested = await rowsTested("bad input ");
  const missing = ROWS.map((what, at) => `${at + 1}: ${what}`).filter((_, at) => !tested.has(at + 1));
  expect(missing).toEqual([]);
  expect([...tested].filter((row) => row < 1 || row > ROWS.length)).toEqual([]);
});
