import { createRequire } from "node:module";

/** Returns the version in this package's package.json. */
export function ownVersion(): string {
  const { version } = createRequire(import.meta.url)("../package.json") as { version: string };
  return version;
}
