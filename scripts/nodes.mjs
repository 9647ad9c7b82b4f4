import { arch } from "node:os";
import { join } from "node:path";
import { CACHE, capture, exitCodeOf, Trouble } from "./process.mjs";

/**
 * Finds a Node of a major version: this one, or npm's package of it in the cache.
 *
 * @throws Trouble when npm cannot install it.
 */
export async function findNode(major) {
  if (process.versions.node.startsWith(`${major}.`))
    return { path: process.execPath, version: process.versions.node };
  const directory = join(CACHE, "node", String(major));
  const name = `node-linux-${arch()}`;
  const path = join(directory, "node_modules", name, "bin/node");
  const version = async () => (await capture(path, ["-p", "process.versions.node"])).stdout.trim();
  if ((await version()) === "") {
    const code = await exitCodeOf("npm", [
      "install",
      "--silent",
      "--prefix",
      directory,
      "--no-save",
      "--no-package-lock",
      `${name}@${major}`,
    ]);
    if (code !== 0) throw new Trouble(`npm cannot install ${name}@${major}`);
  }
  return { path, version: await version() };
}
