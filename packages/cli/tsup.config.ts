import { fileURLToPath } from "node:url";
import { defineConfig } from "tsup";
import { directImports } from "./direct-imports.js";
import { writeNotices } from "./notices.js";
import { unusedModules } from "./unused-modules.js";

/**
 * The second line of `main.js`, after `#!/usr/bin/env sh`. For JavaScript it is a string and a comment. For
 * the shell it is a program that starts Node.
 *
 * Node reads some of its own options wherever they stand: `--env-file` after the script's name, and
 * `--experimental-config-file` even after `--`. Both run code from the file that they name. So every argument
 * gets a colon in front, and no version of Node takes it for an option. `src/arguments.ts` removes the colon.
 * Source: Node's src/node_dotenv.cc and src/node_config_file.cc.
 */
const LAUNCHER = '":" //; for arg do shift; set -- "$@" ":$arg"; done; exec node -- "$0" : "$@"';

/** grpc-js and others are CommonJS, and require Node's modules. */
const REQUIRE =
  'import { createRequire as requireFor } from "node:module"; const require = requireFor(import.meta.url);';

const EXECUTOR = fileURLToPath(new URL("../executor/src/index.ts", import.meta.url));

export default defineConfig({
  entry: ["src/main.ts"],
  banner: { js: `${LAUNCHER}\n${REQUIRE}` },
  // All that the command needs is bundled. Else Node spends most of a short command's time on finding and
  // reading some 600 modules. What is imported on demand gets a file of its own.
  noExternal: [/.*/],
  splitting: true,
  // Our other packages are bundled from their sources: then a command gets only the files that it uses of
  // them, and not one large file with all.
  esbuildOptions: (options) => {
    options.conditions = ["@wfe-containerd/source"];
    // Less text is read faster. Names stay as they are, because errors and traces have them. Lines stay
    // short, because Node prints the whole line of an error that nothing catches.
    options.minifyWhitespace = true;
    options.minifySyntax = true;
    options.lineLimit = 200;
  },
  esbuildPlugins: [
    directImports("@wfe-containerd/executor", EXECUTOR),
    // Servers, and what only they and channelz need, which we turn off.
    unusedModules(
      /\/@grpc\/grpc-js\//,
      /^(?:@grpc\/proto-loader|\.\/server(?:-credentials|-interceptors)?)$/,
    ),
  ],
  format: "esm",
  target: "node20",
  metafile: true,
  onSuccess: () => writeNotices("dist"),
  clean: true,
  // Declarations come from tsc: tsup needs TypeScript's JavaScript API for them, which TypeScript 7 lacks.
  dts: false,
});
