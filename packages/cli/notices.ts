import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/**
 * Writes the licenses of all bundled packages into one file, as these licenses demand of those who
 * redistribute the code.
 *
 * @param directory contains esbuild's metafile, which this removes, and gets the notices.
 */
export async function writeNotices(directory: string): Promise<void> {
  const metafile = join(directory, "metafile-esm.json");
  const { inputs } = JSON.parse(await readFile(metafile, "utf8")) as { inputs: Record<string, unknown> };
  const roots = new Set<string>();
  for (const input of Object.keys(inputs)) {
    const root = /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0];
    if (root !== undefined) roots.add(root);
  }
  const notices = await Promise.all([...roots].sort().map(noticeOf));
  await writeFile(join(directory, "THIRD-PARTY-NOTICES.txt"), notices.join(`\n${"-".repeat(80)}\n\n`));
  await rm(metafile);
}

async function noticeOf(root: string): Promise<string> {
  const { name, version, license } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
  const files = (await readdir(root)).filter((file) => /^(?:licen[cs]e|notice|copying)/i.test(file));
  const texts = await Promise.all(files.sort().map((file) => readFile(join(root, file), "utf8")));
  return [`${name} ${version} (${license})\n`, ...texts].join("\n");
}
