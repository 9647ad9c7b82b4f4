import { defineConfig } from "tsup";

/**
 * The second line of `main.js`, behind `#!/usr/bin/env sh`: a string and a comment for JavaScript, a program for the shell, which starts Node.
 *
 * Node takes some of its options wherever they stand: `--env-file` behind the script, and `--experimental-config-file` even behind `--`
 * (src/node_dotenv.cc and src/node_config_file.cc search all arguments). Both run code of the file that they name. So every argument
 * gets a mark in front, which `src/arguments.ts` removes: an argument that does not begin with a dash is an option for no version of Node.
 */
const LAUNCHER = '":" //; for arg do shift; set -- "$@" ":$arg"; done; exec node -- "$0" : "$@"';

export default defineConfig({
  entry: ["src/main.ts"],
  banner: { js: LAUNCHER },
  format: "esm",
  target: "node20",
  sourcemap: true,
  clean: true,
  // Declarations come from tsc: tsup's own need TypeScript's JavaScript API, which TypeScript 7 no longer has.
  dts: false,
});
