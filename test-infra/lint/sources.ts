import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const run = promisify(execFile);

/**
 * Lists the files of the repository that git knows or would add, without generated code. Reading the
 * directories instead would follow pnpm's links into every dependency.
 *
 * @param patterns of git: `packages/*.test.ts` also finds files in deeper directories.
 * @returns absolute paths, sorted.
 */
export async function sourceFiles(...patterns: string[]): Promise<string[]> {
  const list = ["ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate", "--", ...patterns];
  const { stdout } = await run("git", list, { cwd: ROOT, maxBuffer: 16 * 1024 * 1024 });
  const files = stdout.split("\n").filter((file) => file !== "" && !file.includes("/gen/"));
  return files.map((file) => join(ROOT, file)).sort();
}
